"""How a model is to be run: the artefact on disk, the backend chosen for it, and the limits it is loaded with."""

from typing import Literal

import msgspec

from appliance.core.devices import EngineDevice
from appliance.core.hardware import Accelerator, Instruction
from appliance.core.measurement import ModelSpeed


class Artefact(msgspec.Struct, frozen=True, kw_only=True):
    """A model's files in one format, by the name that descriptors and manifests give it.

    `path` is the file, the first of its parts, or the graph beside which the others lie; `compiled_path` is the folder
    for what is made of them once, `projector_path` the file that turns media into what the model reads (each the empty
    string where there is none).
    """

    format: str
    path: str
    digest: str
    compiled_path: str = ""
    projector_path: str = ""


class BackendDescriptor(msgspec.Struct, frozen=True, kw_only=True):
    """What one backend is on this machine: whether it can run, why not, and the exact command that mends it.

    `kv_types` are those that keys and values can have there, its own choice first. `architectures` None: the library
    knows by itself which ones it runs. `drawback` is what it does less well here than it could, and `mend` mends. The
    `gpus` are those of the `devices` on which it places layers of a model one by one. It applies so many LoRA adapters
    at once, and reads pictures and sound where a model has a projector.
    """

    name: str
    state: Literal["ready", "unavailable"]
    message: str
    mend: str | None
    formats: frozenset[str]
    devices: tuple[str, ...]
    kv_types: tuple[str, ...]
    version: str | None
    architectures: frozenset[str] | None = None
    drawback: str | None = None
    gpus: tuple[EngineDevice, ...] = ()
    max_adapters_per_step: int = 0
    reads_media: bool = False


class SnapshotTiers(msgspec.Struct, frozen=True, kw_only=True):
    """Where computed prefixes stay beside the KV cache: bytes in main memory, and a folder with bytes on disk.

    `folder` belongs to this model run in this way alone; the empty string means no disk. `max_written_bytes_per_day`
    spares storage that wears out, None being no limit.
    """

    memory_bytes: int = 0
    folder: str = ""
    disk_bytes: int = 0
    max_written_bytes_per_day: int | None = None


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a worker needs to load a model, and why it was chosen so: the first reason is that for the backend.

    `variant` is what a name forces this way of running the model with, `expected` how fast it was measured or predicted
    to be.

    `context_tokens` limits one sequence, `kv_capacity_tokens` all sequences together; `estimated_bytes` is the memory
    of weights, KV cache and scratch; `step_time_target_s` bounds a step while other sequences decode. A library that
    can compute in several places chooses among the `accelerators` of the machine when it loads, and `provider` names
    the place. One that places layers has `gpu_layers` of them on `device`, one of the `gpus`, where they take
    `device_bytes`; those of the `gpus` that were never tried are tried first. `device_fallback` says what happens when
    a model is computed elsewhere than planned, `device_problem` why the plan itself is not what was wanted. A library
    that is compiled for the processor is compiled for its `instructions`. The worker measures the `thread_candidates`,
    the planned number first; there are none where the threads are known or set.
    """

    model: str
    backend: str
    artefact: Artefact
    device: str
    context_tokens: int
    kv_capacity_tokens: int
    max_sequences: int
    max_step_sequences: int
    max_step_tokens: int
    threads_decode: int
    threads_prefill: int
    kv_type: str
    gpu_layers: int
    step_time_target_s: float
    estimated_bytes: int
    reasons: tuple[str, ...]
    provider: str = "auto"
    device_fallback: Literal["allow", "warn", "refuse"] = "warn"
    device_problem: str | None = None
    device_bytes: int = 0
    gpus: tuple[EngineDevice, ...] = ()
    accelerators: tuple[Accelerator, ...] = ()
    instructions: frozenset[Instruction] = frozenset()
    snapshots: SnapshotTiers = SnapshotTiers()
    thread_candidates: tuple[int, ...] = ()
    variant: str = ""
    expected: ModelSpeed | None = None


class StepLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How large a step may be, which decides the memory that steps work with."""

    max_sequences: int
    max_step_sequences: int
    max_step_tokens: int


class MemoryEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a model will need: its weights, the KV cache of each token, and what every step works with."""

    weights_bytes: int
    kv_bytes_per_token: int
    kv_type: str
    scratch_bytes: int


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """The fastest numbers of threads for a model on this machine, measured while nobody else used it."""

    threads_decode: int
    threads_prefill: int

"""The GPUs that a backend computes on: what they are, what came of a trial, and where a model was in fact loaded."""

import msgspec


class DeviceTrial(msgspec.Struct, frozen=True, kw_only=True):
    """What came of running the model that comes with us on a device, in a process of its own.

    `problem` None: its answer was the processor's. `prefill_ratio` is how many times as fast as the processor it read
    a prompt, which is less than a large model gains.
    """

    problem: str | None = None
    prefill_ratio: float | None = None


class EngineDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU that a backend's library computes on, under the library's own name (`CUDA0`, `Vulkan0`).

    `free_bytes` is what was free when it was asked. An integrated one has no memory of its own. `accelerator` is its id
    in the snapshot, where it was found there, and `driver` what drives it. `trial` None: it was never tried.
    """

    name: str
    description: str
    is_integrated: bool
    total_bytes: int
    free_bytes: int
    accelerator: str | None = None
    driver: str | None = None
    trial: DeviceTrial | None = None


class LoadedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model was in fact loaded: `gpu_layers` of `num_layers` there, in `memory_bytes` of the device's own.

    `problem` says what is not as it was planned, None where all is. `trials` are of GPUs that were tried just now.
    """

    device: str = "cpu"
    gpu_layers: int = 0
    num_layers: int = 0
    memory_bytes: int = 0
    problem: str | None = None
    trials: dict[str, DeviceTrial] = {}

"""What a backend tells the daemon about itself. No array library and no native one is imported for it."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from appliance.backends.prior import Predicted, Work
from appliance.core.hardware import HardwareSnapshot, Instruction
from appliance.core.plan import Artefact, BackendDescriptor, MemoryEstimate, StepLimits
from models.manifest import ModelDetails


class KernelTiming(msgspec.Struct, frozen=True, kw_only=True):
    """How many times as fast a library's integer kernels just were as its float kernels, for so many rows at once."""

    num_rows: int
    integer_speedup_ratio: float


class EngineInstructions(msgspec.Struct, frozen=True, kw_only=True):
    """Instruction sets that a compiled library uses, and those that it could use if it were compiled for them.

    `worth` is a sentence with its source for each of which somebody measured what it brings. A library that carries
    kernels for all processors and chooses among them when it starts has `paths` instead: the first that the processor
    has is taken, and `timings` show what it brings. `dot_products` are those that should be faster than floats.
    """

    used: frozenset[Instruction]
    usable: frozenset[Instruction]
    worth: Mapping[Instruction, str]
    paths: tuple[Instruction, ...] = ()
    dot_products: frozenset[Instruction] = frozenset()
    timings: tuple[KernelTiming, ...] = ()


class Preparation(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be made of a model's files before a backend runs them, beside the files themselves.

    `missing` says what there is not yet, and `mend` is the command that makes it. `quantization` is that of the weights
    where they are quantized anew for it.
    """

    is_done: bool
    missing: str
    mend: str
    quantization: str | None = None


class Description(Protocol):
    """The daemon's side of a backend."""

    def descriptor(self, snapshot: HardwareSnapshot) -> BackendDescriptor:
        """Say whether this backend can run on this machine, and what mends it if not."""

    def version(self) -> str | None:
        """Return the version of the library behind this backend, None where it is not installed."""

    def estimate(
        self, artefact: Artefact, details: ModelDetails | None, limits: StepLimits, kv_type: str
    ) -> MemoryEstimate:
        """Return what the model will need, from what its files say, with one of the `kv_types`. Pure."""

    def refusal(self, details: ModelDetails | None) -> str | None:
        """Return why the backend does not run this model, though it reads its format; None where it does. Pure."""

    def preparation(
        self, model: str, artefact: Artefact, details: ModelDetails | None, snapshot: HardwareSnapshot
    ) -> Preparation | None:
        """Return what has to be made of the files first, None where they run as they are. Looks at the disk."""

    def prior(self, work: Work) -> Predicted | None:
        """Return how fast it should run, until that is measured; None where nothing can be said. Pure."""

    def instructions(self, timeout_s: float) -> EngineInstructions | None:
        """Return what the installed library was compiled for, None where that does not matter or it is not installed.

        It is asked in a child process. Raises: BackendError, when it does not start or answer.
        """

    def rebuild_command(self) -> str | None:
        """Return the command that compiles the library for this processor, None where there is nothing to compile."""

"""What a backend tells the daemon about itself. No array library and no native one is imported for it."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

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

    def instructions(self, timeout_s: float) -> EngineInstructions | None:
        """Return what the installed library was compiled for, None where that does not matter or it is not installed.

        It is asked in a child process. Raises: BackendError, when it does not start or answer.
        """

    def rebuild_command(self) -> str | None:
        """Return the command that compiles the library for this processor, None where there is nothing to compile."""

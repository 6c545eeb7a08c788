"""What a backend tells the daemon about itself. No array library and no native one is imported for it."""

from typing import Protocol

from appliance.core.hardware import HardwareSnapshot
from appliance.core.plan import Artefact, BackendDescriptor, MemoryEstimate, StepLimits
from models.manifest import ModelDetails


class Description(Protocol):
    """The daemon's side of a backend."""

    def descriptor(self, snapshot: HardwareSnapshot) -> BackendDescriptor:
        """Say whether this backend can run on this machine, and what mends it if not."""

    def version(self) -> str | None:
        """Return the version of the library behind this backend, None where it is not installed."""

    def estimate(self, artefact: Artefact, details: ModelDetails | None, limits: StepLimits) -> MemoryEstimate:
        """Return what the model will need, from what its files say. Pure."""

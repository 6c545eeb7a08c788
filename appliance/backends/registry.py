"""The backends as the daemon knows them: described, never loaded."""

from appliance.backends.description import Description
from appliance.backends.echo_description import EchoDescription
from appliance.backends.llama_cpp.description import LlamaCppDescription
from appliance.core.hardware import HardwareSnapshot
from appliance.core.plan import Artefact, BackendDescriptor, MemoryEstimate, StepLimits
from models.manifest import ModelDetails

_DESCRIPTIONS: dict[str, Description] = {"llama_cpp": LlamaCppDescription(), "echo": EchoDescription()}


def descriptors(snapshot: HardwareSnapshot) -> tuple[BackendDescriptor, ...]:
    """Return what every backend is on this machine, the preferred one first."""
    return tuple(description.descriptor(snapshot) for description in _DESCRIPTIONS.values())


def estimate(backend: str, artefact: Artefact, details: ModelDetails | None, limits: StepLimits) -> MemoryEstimate:
    """Return what a model will need on that backend."""
    return _DESCRIPTIONS[backend].estimate(artefact, details, limits)


def versions() -> dict[str, str | None]:
    """Return the version of each backend's library, None where it is not installed."""
    return {name: description.version() for name, description in _DESCRIPTIONS.items()}

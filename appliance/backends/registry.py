"""The backends as the daemon knows them: described, never loaded."""

from appliance.backends.description import Description, EngineInstructions
from appliance.backends.echo_description import EchoDescription
from appliance.backends.llama_cpp.description import LlamaCppDescription
from appliance.backends.onnx.description import OnnxDescription
from appliance.backends.onnx.workshop import OnnxWorkshop
from appliance.core.hardware import HardwareSnapshot
from appliance.core.plan import Artefact, BackendDescriptor, MemoryEstimate, StepLimits
from models.manifest import ModelDetails, ModelFormat
from models.workshop import Workshop

_DESCRIPTIONS: dict[str, Description] = {
    "llama_cpp": LlamaCppDescription(),
    "onnx": OnnxDescription(),
    "echo": EchoDescription(),
}
WORKSHOPS: dict[ModelFormat, Workshop] = {"onnx": OnnxWorkshop()}
"""Who reads the formats that the store does not read itself."""


def descriptors(snapshot: HardwareSnapshot) -> tuple[BackendDescriptor, ...]:
    """Return what every backend is on this machine, the preferred one first."""
    return tuple(description.descriptor(snapshot) for description in _DESCRIPTIONS.values())


def estimate(
    backend: str, artefact: Artefact, details: ModelDetails | None, limits: StepLimits, kv_type: str
) -> MemoryEstimate:
    """Return what a model will need on that backend."""
    return _DESCRIPTIONS[backend].estimate(artefact, details, limits, kv_type)


def versions() -> dict[str, str | None]:
    """Return the version of each backend's library, None where it is not installed."""
    return {name: description.version() for name, description in _DESCRIPTIONS.items()}


def instructions(backend: str, timeout_s: float) -> EngineInstructions | None:
    """Return what that backend's library was compiled for, None where that does not matter. Raises: BackendError."""
    return _DESCRIPTIONS[backend].instructions(timeout_s)


def rebuild_command(backend: str) -> str | None:
    """Return the command that compiles that backend's library for this processor, if there is one to compile."""
    return _DESCRIPTIONS[backend].rebuild_command()

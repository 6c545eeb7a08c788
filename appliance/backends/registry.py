"""The backends as the daemon knows them: described, never loaded."""

from collections.abc import Callable, Sequence

from appliance.backends.description import Description, EngineInstructions, Preparation
from appliance.backends.echo_description import EchoDescription
from appliance.backends.llama_cpp.description import LlamaCppDescription
from appliance.backends.onnx.description import OnnxDescription
from appliance.backends.onnx.workshop import OnnxWorkshop
from appliance.backends.prior import Predicted, Work
from appliance.backends.tvm import adoption
from appliance.backends.tvm.description import TvmDescription
from appliance.backends.tvm.limits import FORMATS
from appliance.core.hardware import HardwareSnapshot
from appliance.core.kernels import MatrixTile
from appliance.core.plan import Artefact, BackendDescriptor, MemoryEstimate, StepLimits
from models.manifest import ModelDetails, ModelFormat
from models.workshop import Workshop

_DESCRIPTIONS: dict[str, Description] = {
    "llama_cpp": LlamaCppDescription(),
    "onnx": OnnxDescription(),
    "tvm": TvmDescription(),
    "echo": EchoDescription(),
}
WORKSHOPS: dict[ModelFormat, Workshop] = {"onnx": OnnxWorkshop()}
"""Who reads the formats that the store does not read itself."""


def descriptors(snapshot: HardwareSnapshot) -> tuple[BackendDescriptor, ...]:
    """Return what every backend is on this machine, the preferred one first."""
    return tuple(description.descriptor(snapshot) for description in _DESCRIPTIONS.values())


def wants_adoption(artefact: Artefact, details: ModelDetails, snapshot: HardwareSnapshot) -> bool:
    """Return whether a new model should be made ready for a backend that is faster here."""
    if artefact.format not in FORMATS or _DESCRIPTIONS["tvm"].descriptor(snapshot).state != "ready":
        return False
    return adoption.wants(artefact, details, snapshot.processor.instructions)


def adopt(
    artefact: Artefact,
    snapshot: HardwareSnapshot,
    progress: Callable[[float], None],
    tiles: Sequence[MatrixTile] = (),
) -> None:
    """Make a model ready, in a child process. Raises: BackendError, OSError; the model then runs as it did."""
    adoption.adopt(artefact, snapshot.processor.instructions, progress, tiles)


def estimate(
    backend: str, artefact: Artefact, details: ModelDetails | None, limits: StepLimits, kv_type: str
) -> MemoryEstimate:
    """Return what a model will need on that backend."""
    return _DESCRIPTIONS[backend].estimate(artefact, details, limits, kv_type)


def refusal(backend: str, details: ModelDetails | None) -> str | None:
    """Return why that backend does not run a model though it reads its format, None where it does."""
    return _DESCRIPTIONS[backend].refusal(details)


def preparation(
    backend: str, model: str, artefact: Artefact, details: ModelDetails | None, snapshot: HardwareSnapshot
) -> Preparation | None:
    """Return what has to be made of a model's files for that backend, None where they run as they are."""
    return _DESCRIPTIONS[backend].preparation(model, artefact, details, snapshot)


def prior(backend: str, work: Work) -> Predicted | None:
    """Return how fast a model should be there, as long as nobody has measured it."""
    return _DESCRIPTIONS[backend].prior(work)


def versions() -> dict[str, str | None]:
    """Return the version of each backend's library, None where it is not installed."""
    return {name: description.version() for name, description in _DESCRIPTIONS.items()}


def instructions(backend: str, timeout_s: float) -> EngineInstructions | None:
    """Return what that backend's library was compiled for, None where that does not matter. Raises: BackendError."""
    return _DESCRIPTIONS[backend].instructions(timeout_s)


def rebuild_command(backend: str) -> str | None:
    """Return the command that compiles that backend's library for this processor, if there is one to compile."""
    return _DESCRIPTIONS[backend].rebuild_command()

"""Which models our kernels take over by themselves, and whether one was made ready. Daemon side, no library."""

from collections.abc import Callable, Sequence, Set
from pathlib import Path

from appliance.backends.tvm.folders import folder_in, is_made
from appliance.backends.tvm.limits import (
    ADOPTED_QUANTIZATIONS,
    ARCHITECTURES,
    FASTER_ON,
    LEAST_PARAMETERS,
    instruction_set_for,
)
from appliance.backends.tvm.making import make
from appliance.backends.tvm.record import chosen_bits
from appliance.core.hardware import Instruction
from appliance.core.kernels import MatrixTile
from appliance.core.plan import Artefact
from models.manifest import ModelDetails


def is_adopted(artefact: Artefact, instructions: Set[Instruction]) -> bool:
    """Return whether the model is ready to run on our kernels."""
    instruction_set = instruction_set_for(instructions)
    return instruction_set is not None and is_made(folder_in(Path(artefact.compiled_path), instruction_set))


def wants(artefact: Artefact, details: ModelDetails, instructions: Set[Instruction]) -> bool:
    """Return whether a new model is to run on our kernels: where they are faster and change nothing of its weights.

    Folders of safetensors run on nothing else.
    """
    instruction_set = instruction_set_for(instructions)
    if details.architecture not in ARCHITECTURES or details.num_experts or details.task != "generate":
        return False
    if artefact.format != "gguf":
        return instruction_set is not None
    return (
        instruction_set in FASTER_ON
        and details.quantization in ADOPTED_QUANTIZATIONS
        and (details.num_parameters or 0) >= LEAST_PARAMETERS
    )


def made_quantization(artefact: Artefact, details: ModelDetails | None) -> str | None:
    """Return what the weights are quantized to anew, None where they are taken code by code."""
    if details is None or (artefact.format == "gguf" and details.quantization in ADOPTED_QUANTIZATIONS):
        return None
    return f"q{chosen_bits(Path(artefact.compiled_path))}"


def adopt(
    artefact: Artefact,
    instructions: Set[Instruction],
    progress: Callable[[float], None],
    tiles: Sequence[MatrixTile] = (),
) -> None:
    """Make a model ready; takes seconds to minutes. Raises: BackendError, OSError."""
    instruction_set = instruction_set_for(instructions)
    assert instruction_set is not None
    folder = folder_in(Path(artefact.compiled_path), instruction_set)
    make(Path(artefact.path), folder, instruction_set, progress, tiles)

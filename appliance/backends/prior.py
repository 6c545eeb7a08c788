"""How fast a model should run before it was measured: what a machine can do, and the part that a backend reaches of it.

A token reads all weights that work for it, and the keys and values before it. Several sequences share the reading of
weights; what they compute comes on top. A prompt is computing alone. Pure arithmetic with its assumptions said.
"""

from dataclasses import dataclass

from appliance.backends.objective import Factors, corrected
from appliance.core.hardware import Bandwidth, HardwareSnapshot, Instruction
from appliance.core.measurement import ModelSpeed, PrefillSpeed
from appliance.core.plan import MemoryEstimate
from models.manifest import ModelDetails

CONTEXT_TOKENS = 512
"""Behind how many tokens the next one is predicted."""

_PREFILL_TOKENS = 512
_SEQUENCES = 8
_STEP_S = 0.0005  # what a step costs however small the model: the sampler, the pipe, the start of threads
# Read by all cores together. Sources: the makers' memory clocks and widths; of those about two thirds are reached.
_BOARD_BYTES_PER_S = {"Raspberry Pi 5": 11e9, "Raspberry Pi 4": 4e9, "Jetson AGX Orin": 130e9, "Jetson Orin Nano": 65e9}
_SOCKET_BYTES_PER_S = 150e9  # a server's, with six to twelve channels
_DESKTOP_BYTES_PER_S = 45e9  # two channels of DDR4 or DDR5
_SMALL_BYTES_PER_S = 8e9  # a single channel
_CORE_BYTES_PER_S = 20e9  # what one core can read, whatever the memory
# Multiplications and additions of one core in a second at small integers: measured with AVX512-VNNI, the others in
# rough steps from it by what their instructions do at once.
_CORE_OPERATIONS = (
    (Instruction.AMX_INT8, 500e9),
    (Instruction.AVX512_VNNI, 270e9),
    (Instruction.AVX_VNNI, 160e9),
    (Instruction.AVX512, 130e9),
    (Instruction.I8MM, 130e9),
    (Instruction.AVX2, 80e9),
    (Instruction.DOTPROD, 60e9),
    (Instruction.AVX, 30e9),
)
_OTHER_CORE_OPERATIONS = 15e9
_MANY_CORES = 24
_GPU_TIMES = 8.0  # a consumer's GPU reads 250 to 1,000 GB/s, its processor 40 to 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A model on a machine. `num_active_parameters` None: what its file says.

    `gpu_ratio` is the part of its layers that is computed on a GPU with memory of its own.
    """

    details: ModelDetails | None
    need: MemoryEstimate
    snapshot: HardwareSnapshot
    bandwidth: Bandwidth | None = None
    num_active_parameters: int | None = None
    gpu_ratio: float = 0.0


@dataclass(frozen=True, slots=True)
class Rates:
    """What a backend reaches: of plain reading, of the operations of all cores in prompts, and with a few sequences."""

    reading: float
    prompts: float
    sequences: float


@dataclass(frozen=True, slots=True)
class Predicted:
    """A speed, and in words what it rests on."""

    speed: ModelSpeed
    basis: str


def predict(work: Work, rates: Rates) -> Predicted | None:
    """Return the speed of a model that has the machine to itself; None where its size is not known."""
    found = _on_processor(work, rates)
    if found is None or not work.gpu_ratio:
        return found
    times = 1 / (1 - work.gpu_ratio + work.gpu_ratio / _GPU_TIMES)
    basis = f"{found.basis}; {work.gpu_ratio:.0%} of its layers on a GPU, {_GPU_TIMES:.0f} times as fast"
    return Predicted(corrected(found.speed, Factors(times, times, times)), basis)


def _on_processor(work: Work, rates: Rates) -> Predicted | None:
    details = work.details
    if details is None or not details.num_parameters:
        return None
    active = work.num_active_parameters or _active(details)
    bytes_per_s, source = _bytes_per_s(work.snapshot, work.bandwidth)
    cores = work.snapshot.processor.usable_cores
    operations_per_s = cores * _core_operations(work.snapshot)
    if details.task != "generate":
        return Predicted(
            ModelSpeed(prefill=_prefill(rates.prompts * operations_per_s / (2.0 * _without_table(details, active)))),
            f"predicted from the instructions of {cores} cores",
        )
    weights_bytes = work.need.weights_bytes * active / details.num_parameters
    kv_bytes = work.need.kv_bytes_per_token * CONTEXT_TOKENS
    reached = rates.reading * bytes_per_s
    computing_s = 2.0 * active / (rates.sequences * operations_per_s)
    speed = ModelSpeed(
        prefill=_prefill(rates.prompts * operations_per_s / (2.0 * active)),
        decode_1_tokens_per_s=1 / (_STEP_S + (weights_bytes + kv_bytes) / reached),
        decode_8_tokens_per_s=_SEQUENCES
        / (_STEP_S + (weights_bytes + _SEQUENCES * kv_bytes) / reached + _SEQUENCES * computing_s),
    )
    basis = (
        f"predicted: {(weights_bytes + kv_bytes) / 1e9:.2f} GB are read for each token, after {CONTEXT_TOKENS} others, "
        f"at {rates.reading:.0%} of {bytes_per_s / 1e9:.0f} GB/s ({source}); a prompt by the instructions of "
        f"{cores} cores"
    )
    return Predicted(speed, basis)


def _prefill(tokens_per_s: float) -> tuple[PrefillSpeed, ...]:
    return (PrefillSpeed(num_tokens=_PREFILL_TOKENS, tokens_per_s=tokens_per_s),)


def _active(details: ModelDetails) -> int:
    """Return how many parameters a token uses; of a mixture, in which its experts have nearly all of them, a share."""
    total = details.num_parameters or 0
    if details.num_experts and details.num_experts_used:
        return max(1, total * details.num_experts_used // details.num_experts)
    return total


def _without_table(details: ModelDetails, active: int) -> int:
    """Return the parameters that are computed with: of a small encoder, half are a table that is only looked up."""
    table = (details.vocab_size or 0) * (details.embedding_length or 0)
    return active - table if table < active else active


def _bytes_per_s(snapshot: HardwareSnapshot, measured: Bandwidth | None) -> tuple[float, str]:
    if measured is not None:
        return measured.read_bytes_per_s, "measured"
    board = snapshot.board.model if snapshot.board else ""
    for name, bytes_per_s in _BOARD_BYTES_PER_S.items():
        if name in board:
            return bytes_per_s, f"usual for a {name}"
    cores, sockets = snapshot.processor.usable_cores, snapshot.processor.num_sockets or 1
    if cores >= _MANY_CORES * sockets and Instruction.AVX512 in snapshot.processor.instructions:
        return min(sockets * _SOCKET_BYTES_PER_S, cores * _CORE_BYTES_PER_S), "assumed for a server"
    is_small = not {Instruction.AVX, Instruction.I8MM, Instruction.SVE} & snapshot.processor.instructions
    wide = _SMALL_BYTES_PER_S if is_small else _DESKTOP_BYTES_PER_S
    return min(wide, cores * _CORE_BYTES_PER_S), "assumed; not measured"


def _core_operations(snapshot: HardwareSnapshot) -> float:
    has = snapshot.processor.instructions
    return next((rate for instruction, rate in _CORE_OPERATIONS if instruction in has), _OTHER_CORE_OPERATIONS)

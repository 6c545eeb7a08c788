"""How fast a model should write, predicted from how fast the memory is read. Pure arithmetic with its assumptions said.

Each token reads all weights that work for it, and the keys and values before it. Measured on two cores of a server, but
not with our own kernels, which do better: 20 tokens/s of 3.1B and 80 of 0.5B parameters in Q4_0, where plain reading
reached 86 and 56 GB/s, so about half of that; a prompt of 550 tokens at 88 and 601 tokens/s.
"""

from appliance.core.catalogue import Speed
from appliance.core.hardware import Bandwidth, HardwareSnapshot, Instruction
from appliance.core.plan import MemoryEstimate

_REACHED_RATIO = 0.5
_STEP_S = 0.0005  # what a step costs however small the model: the sampler, the pipe, the start of threads
_TYPICAL_CONTEXT_TOKENS = 2048
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


def predict(
    need: MemoryEstimate,
    num_active_parameters: int,
    active_ratio: float,
    snapshot: HardwareSnapshot,
    measured: Bandwidth | None,
) -> Speed:
    """Return the speed of one conversation with the machine to itself; `active_ratio` of the weights work at once."""
    bytes_per_s, source = _bytes_per_s(snapshot, measured)
    read_bytes = need.weights_bytes * active_ratio + need.kv_bytes_per_token * _TYPICAL_CONTEXT_TOKENS
    cores = snapshot.processor.usable_cores
    operations_per_s = cores * _core_operations(snapshot)
    return Speed(
        decode_tokens_per_s=1 / (_STEP_S + read_bytes / (_REACHED_RATIO * bytes_per_s)),
        prompt_tokens_per_s=operations_per_s / max(1.0, 2.0 * num_active_parameters),
        basis=(
            f"predicted: {read_bytes / 1e9:.2f} GB are read for each token, after {_TYPICAL_CONTEXT_TOKENS} others, at "
            f"{_REACHED_RATIO:.0%} of {bytes_per_s / 1e9:.0f} GB/s ({source}); a prompt by the instructions of "
            f"{cores} cores"
        ),
    )


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

"""Which kernels onnxruntime takes on this processor, proven by a measurement in a child process.

One library carries kernels for every processor and chooses when it starts, so there is nothing to compile. What could
go wrong is that the path is not as fast as it should be: that is why it is timed and not only looked up.
Source: MlasPlatform's constructor in onnxruntime/core/mlas/lib/platform.cpp (the choice of `QNBitGemmDispatch`).
"""

import msgspec

from appliance.backends.description import EngineInstructions, KernelTiming
from appliance.backends.onnx.child import run_child
from appliance.core.hardware import Instruction

_PROGRAM = "appliance.backends.onnx.kernel_timing"
# The first that the processor has is taken. Dot products are what makes integers fast; the others multiply in steps.
_PATHS = (
    Instruction.AVX512_VNNI,
    Instruction.AVX512,
    Instruction.AVX_VNNI,
    Instruction.AVX2,
    Instruction.I8MM,
    Instruction.DOTPROD,
    Instruction.NEON,
)
_DOT_PRODUCTS = frozenset({Instruction.AVX512_VNNI, Instruction.AVX_VNNI, Instruction.I8MM, Instruction.DOTPROD})


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The medians for so many rows of activations at once: one is generation, several are a prompt or a batch."""

    num_rows: int
    float_s: float
    integer_s: float


def time_kernels(timeout_s: float) -> EngineInstructions:
    """Time the integer path against the float path. Raises: BackendError, when the library does not start or answer."""
    timings = msgspec.json.decode(run_child(_PROGRAM, (), timeout_s), type=tuple[Timing, ...])
    return EngineInstructions(
        used=frozenset(),
        usable=frozenset(),
        worth={},
        paths=_PATHS,
        dot_products=_DOT_PRODUCTS,
        timings=tuple(
            KernelTiming(num_rows=timing.num_rows, integer_speedup_ratio=timing.float_s / timing.integer_s)
            for timing in timings
        ),
    )

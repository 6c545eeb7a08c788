"""What our own kernels reach of a machine.

Measured on two cores with AVX512-VNNI, 0.5B parameters in Q4_0, against llama.cpp on the same file: 2.3 times its
prompts, 1.3 times its speed for one sequence, 2.9 times for eight (`kernels/DESIGN.md`). Elsewhere nobody has measured
them, and they are expected to be a little slower than kernels that many have.
"""

from collections.abc import Set

from appliance.backends.prior import Rates
from appliance.backends.tvm.limits import FASTER_ON, instruction_set_for
from appliance.core.hardware import Instruction

_MEASURED_RATES, _OTHER_RATES = Rates(0.65, 2.3, 2.3), Rates(0.45, 0.8, 0.4)


def rates_on(instructions: Set[Instruction]) -> Rates:
    """Return the rates on a processor."""
    return _MEASURED_RATES if instruction_set_for(instructions) in FASTER_ON else _OTHER_RATES

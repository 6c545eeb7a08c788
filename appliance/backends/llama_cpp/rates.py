"""What llama.cpp reaches of a machine, by the type of the weights.

Measured on two cores with AVX512-VNNI, 0.5B parameters, where plain reading reached 37 to 56 GB/s: prompts of 256
tokens at 690 tokens/s in Q4_0 and 365 in Q8_0, one sequence at 89 and 63, eight at 200 and 120. 3.1B parameters in
Q4_0: 88 and 20. Floats and other types are guessed from these.
"""

from appliance.backends.prior import Rates
from models.manifest import ModelDetails

_RATES = {"Q4_0": Rates(0.5, 1.0, 0.5), "Q8_0": Rates(0.6, 0.6, 0.3)}
_FLOATS = {"F32", "F16", "BF16"}
_RATES_OF_FLOATS, _USUAL_RATES = Rates(0.6, 0.4, 0.3), Rates(0.5, 0.9, 0.45)


def rates_of(details: ModelDetails | None) -> Rates:
    """Return the rates for a model's weights."""
    quantization = details.quantization if details is not None else None
    if quantization in _FLOATS:
        return _RATES_OF_FLOATS
    return _RATES.get(quantization or "", _USUAL_RATES)

"""What onnxruntime reaches of a machine, by the type of the weights.

Measured on two cores with AVX512-VNNI, 0.5B parameters, where plain reading reached 37 to 56 GB/s: prompts of 256
tokens at 610 tokens/s in int4 (blocks of 32), 680 in int8 and 560 in floats; one sequence at 90, 60 and 22; eight at
285, 255 and 118.
"""

from appliance.backends.prior import Rates
from models.manifest import ModelDetails

_RATES = {"int4": Rates(0.55, 1.1, 0.85), "int8": Rates(0.6, 1.2, 1.0)}
_RATES_OF_FLOATS = Rates(0.75, 1.0, 0.65)


def rates_of(details: ModelDetails | None) -> Rates:
    """Return the rates for a model's weights."""
    quantization = details.quantization if details is not None else None
    return _RATES.get(quantization or "", _RATES_OF_FLOATS)

"""The estimate covers what workers were measured to take, and not much more."""

import pytest

from appliance.backends.onnx.estimate import estimate
from appliance.core.plan import StepLimits
from models.manifest import ModelDetails

MIB = 2**20
LIMITS = StepLimits(max_sequences=64, max_step_sequences=32, max_step_tokens=512)
QWEN_05B = {
    "embedding_length": 896,
    "total_kv_heads": 48,
    "key_length": 64,
    "value_length": 64,
    "vocab_size": 151_936,
}
TOKENS = 1471  # in the rows of eight sequences when the workers were measured


@pytest.mark.parametrize(
    ("quantization", "weights_bytes", "measured_mib", "most"),
    [
        ("int4", 317_400_576, 655, 1.25),
        ("int4", 271_091_712, 520, 1.25),
        ("int8", 1_062_610_944, 784, 1.75),  # half of the file is a table of floats, of which few pages are read
    ],
)
def test_a_measured_worker_fits_its_estimate(
    quantization: str, weights_bytes: int, measured_mib: int, most: float
) -> None:
    need = estimate(ModelDetails(quantization=quantization, weights_bytes=weights_bytes, **QWEN_05B), LIMITS)
    assert need.kv_type == "f32"
    assert need.kv_bytes_per_token == 24_576
    total_bytes = need.weights_bytes + need.scratch_bytes + TOKENS * need.kv_bytes_per_token
    assert measured_mib * MIB <= total_bytes <= most * measured_mib * MIB


def test_what_the_graph_says_it_takes_when_loaded_counts_instead_of_the_file() -> None:
    details = ModelDetails(quantization="int4", weights_bytes=317_400_576, loaded_bytes=440_890_880, **QWEN_05B)
    need = estimate(details, LIMITS)
    assert need.weights_bytes == 440_890_880
    # 547 MiB were measured after a prompt of 512 tokens; its cache is the caller's to add.
    total_bytes = need.weights_bytes + need.scratch_bytes + 512 * need.kv_bytes_per_token
    assert 547 * MIB <= total_bytes <= 1.1 * 547 * MIB


def test_keys_and_values_of_eight_bits_take_a_quarter() -> None:
    details = ModelDetails(**QWEN_05B)
    small, floats = estimate(details, LIMITS, "int8"), estimate(details, LIMITS)
    assert (small.kv_type, 4 * small.kv_bytes_per_token) == ("int8", floats.kv_bytes_per_token)

"""The predicted speed of each backend, against what was measured, and what it says of its assumptions."""

from typing import cast

import pytest
from msgspec.structs import replace

from appliance.backends import registry
from appliance.backends.prior import Predicted, Work
from appliance.core.hardware import Bandwidth, Board, HardwareSnapshot, Instruction
from appliance.core.plan import MemoryEstimate
from models.manifest import ModelDetails
from tests.fakes import machine

MEASURED_ON = machine(usable_cores=2, instructions=frozenset({Instruction.AVX512_VNNI, Instruction.AVX2}))


def need(weights_bytes: float, kv_bytes_per_token: int = 0) -> MemoryEstimate:
    return MemoryEstimate(
        weights_bytes=int(weights_bytes), kv_bytes_per_token=kv_bytes_per_token, kv_type="f16", scratch_bytes=0
    )


def predict(
    weights_bytes: float,
    num_parameters: float,
    snapshot: HardwareSnapshot = MEASURED_ON,
    gb_per_s: float | None = None,
    *,
    backend: str = "llama_cpp",
    quantization: str = "Q4_0",
    kv_bytes_per_token: int = 0,
) -> Predicted:
    """Return what a backend says of a decoder."""
    details = ModelDetails(num_parameters=int(num_parameters), quantization=quantization)
    bandwidth = None if gb_per_s is None else Bandwidth(read_bytes_per_s=gb_per_s * 1e9, num_threads=2)
    work = Work(details=details, need=need(weights_bytes, kv_bytes_per_token), snapshot=snapshot, bandwidth=bandwidth)
    return cast(Predicted, registry.prior(backend, work))


@pytest.mark.parametrize(
    ("backend", "quantization", "num_parameters", "weights_bytes", "gb_per_s", "prompt", "one", "eight"),
    [
        ("llama_cpp", "Q4_0", 3.09e9, 1.86e9, 86, 88.0, 20.0, None),
        ("llama_cpp", "Q4_0", 0.49e9, 0.35e9, 56, 690.0, 89.0, 200.0),
        ("llama_cpp", "Q8_0", 0.49e9, 0.53e9, 56, 365.0, 63.0, 120.0),
        ("tvm", "Q4_0", 0.49e9, 0.35e9, 56, 1593.0, 118.0, 592.0),
        ("onnx", "int4", 0.49e9, 0.317e9, 56, 612.0, 90.0, 285.0),
        ("onnx", "int8", 0.49e9, 0.56e9, 56, 680.0, 60.0, 255.0),
        ("onnx", "fp32", 0.49e9, 1.98e9, 56, 559.0, 21.7, 118.0),
    ],
)
def test_what_was_measured_would_have_been_predicted(
    backend: str,
    quantization: str,
    num_parameters: float,
    weights_bytes: float,
    gb_per_s: float,
    prompt: float,
    one: float,
    eight: float | None,
) -> None:
    speed = predict(weights_bytes, num_parameters, gb_per_s=gb_per_s, backend=backend, quantization=quantization).speed
    assert speed.prefill[0].tokens_per_s == pytest.approx(prompt, rel=0.3)
    assert speed.decode_1_tokens_per_s == pytest.approx(one, rel=0.3)
    if eight is not None:
        assert speed.decode_8_tokens_per_s == pytest.approx(eight, rel=0.4)


def test_a_long_context_is_read_for_each_token_too() -> None:
    alone, after_many = (predict(1e9, 1e9, kv_bytes_per_token=kv).speed for kv in (0, 4 * 10**6))
    assert (alone.decode_1_tokens_per_s or 0) > 2.5 * (after_many.decode_1_tokens_per_s or 0)


@pytest.mark.parametrize(
    ("board", "words"),
    [
        (Board(family="raspberry_pi", model="Raspberry Pi 5 Model B Rev 1.0"), "11 GB/s (usual for a Raspberry Pi 5)"),
        (None, "(assumed; not measured)"),
    ],
)
def test_the_memory_that_was_assumed_is_named(board: Board | None, words: str) -> None:
    assert words in predict(1e9, 1e9, replace(MEASURED_ON, board=board)).basis


def test_newer_instructions_read_a_prompt_faster() -> None:
    speeds = [
        predict(1e9, 1e9, machine(instructions=frozenset({instruction}))).speed.prefill[0].tokens_per_s
        for instruction in (Instruction.SSE4_2, Instruction.AVX, Instruction.AVX2, Instruction.AVX512_VNNI)
    ]
    assert speeds == sorted(speeds)
    assert len(set(speeds)) == len(speeds)


def test_a_tiny_model_is_not_predicted_to_write_at_the_speed_of_light() -> None:
    assert (predict(1e6, 1e6).speed.decode_1_tokens_per_s or 0) < 2000


def test_an_encoder_computes_with_all_but_its_table_of_words() -> None:
    details = ModelDetails(num_parameters=22_700_000, vocab_size=30_522, embedding_length=384, is_embedding=True)
    whole = replace(details, vocab_size=None)
    slow, fast = (
        registry.prior("onnx", Work(details=each, need=need(9e7), snapshot=MEASURED_ON)) for each in (whole, details)
    )
    assert slow is not None
    assert fast is not None
    assert fast.speed.prefill[0].tokens_per_s > 2 * slow.speed.prefill[0].tokens_per_s
    assert fast.speed.decode_1_tokens_per_s is None


def test_layers_on_a_gpu_count_as_faster_ones() -> None:
    details = ModelDetails(num_parameters=10**9, quantization="Q4_0")
    ours, half, all_ = (
        registry.prior("llama_cpp", Work(details=details, need=need(1e9), snapshot=MEASURED_ON, gpu_ratio=ratio))
        for ratio in (0.0, 0.5, 1.0)
    )
    assert ours is not None
    assert half is not None
    assert all_ is not None
    times = [(each.speed.decode_1_tokens_per_s or 0) for each in (ours, half, all_)]
    assert times[1] / times[0] == pytest.approx(1 / (0.5 + 0.5 / 8))
    assert times[2] / times[0] == pytest.approx(8.0)
    assert "on a GPU" in all_.basis


def test_nothing_is_said_of_a_model_whose_size_is_not_known() -> None:
    assert registry.prior("llama_cpp", Work(details=ModelDetails(), need=need(1e9), snapshot=MEASURED_ON)) is None
    assert (
        registry.prior("echo", Work(details=ModelDetails(num_parameters=1), need=need(1), snapshot=MEASURED_ON)) is None
    )

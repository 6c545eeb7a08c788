"""The predicted speed, against what was measured, and what it says of its assumptions."""

import pytest
from msgspec.structs import replace

from appliance.core.hardware import Bandwidth, Board, Instruction
from appliance.core.plan import MemoryEstimate
from appliance.service.speed import predict
from tests.fakes import machine

MEASURED_ON = machine(usable_cores=2, instructions=frozenset({Instruction.AVX512_VNNI, Instruction.AVX2}))


def need(weights_bytes: float, kv_bytes_per_token: int = 0) -> MemoryEstimate:
    return MemoryEstimate(
        weights_bytes=int(weights_bytes), kv_bytes_per_token=kv_bytes_per_token, kv_type="f16", scratch_bytes=0
    )


@pytest.mark.parametrize(
    ("num_parameters", "weights_bytes", "gb_per_s", "decode", "prompt"),
    [(3.09e9, 1.86e9, 86, 20.0, 88.0), (0.49e9, 0.31e9, 56, 79.7, 601.0)],
)
def test_what_was_measured_would_have_been_predicted(
    num_parameters: float, weights_bytes: float, gb_per_s: float, decode: float, prompt: float
) -> None:
    bandwidth = Bandwidth(read_bytes_per_s=gb_per_s * 1e9, num_threads=2)
    speed = predict(need(weights_bytes), int(num_parameters), 1.0, MEASURED_ON, bandwidth)
    assert speed.decode_tokens_per_s == pytest.approx(decode, rel=0.25)
    assert speed.prompt_tokens_per_s == pytest.approx(prompt, rel=0.25)


def test_a_long_context_is_read_for_each_token_too() -> None:
    alone, after_many = (predict(need(1e9, kv), 10**9, 1.0, MEASURED_ON, None) for kv in (0, 10**6))
    assert alone.decode_tokens_per_s > 2.5 * after_many.decode_tokens_per_s


@pytest.mark.parametrize(
    ("board", "words"),
    [
        (Board(family="raspberry_pi", model="Raspberry Pi 5 Model B Rev 1.0"), "11 GB/s (usual for a Raspberry Pi 5)"),
        (None, "(assumed; not measured)"),
    ],
)
def test_the_memory_that_was_assumed_is_named(board: Board | None, words: str) -> None:
    assert words in predict(need(1e9), 10**9, 1.0, replace(MEASURED_ON, board=board), None).basis


def test_newer_instructions_read_a_prompt_faster() -> None:
    speeds = [
        predict(need(1e9), 10**9, 1.0, machine(instructions=frozenset({instruction})), None).prompt_tokens_per_s
        for instruction in (Instruction.SSE4_2, Instruction.AVX, Instruction.AVX2, Instruction.AVX512_VNNI)
    ]
    assert speeds == sorted(speeds)
    assert len(set(speeds)) == len(speeds)


def test_a_tiny_model_is_not_predicted_to_write_at_the_speed_of_light() -> None:
    assert predict(need(1e6), 10**6, 1.0, MEASURED_ON, None).decode_tokens_per_s < 2000

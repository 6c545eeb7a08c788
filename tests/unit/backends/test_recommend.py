"""Which type of a model is recommended, as a table of cases."""

from typing import Any

import pytest

from appliance.backends.recommend import recommend
from appliance.core.admin import ModelLoss
from appliance.core.quantized import MeasuredType

F16 = MeasuredType(type="F16", size_bytes=1000, prefill_tokens_per_s=500.0, decode_tokens_per_s=100.0)


def row(name: str, size_bytes: int, loss: float, tokens_per_s: float = 120.0, **more: Any) -> MeasuredType:
    return MeasuredType(
        type=name,
        size_bytes=size_bytes,
        prefill_tokens_per_s=500.0,
        decode_tokens_per_s=tokens_per_s,
        quality=ModelLoss(num_samples=2000, loss_ratio=loss),
        is_within=loss <= 0.05,
        **more,
    )


Q8, Q6, Q4 = row("Q8_0", 530, 0.001), row("Q6_K", 410, 0.01), row("Q4_0", 290, 0.2)


@pytest.mark.parametrize(
    ("rows", "expected", "says"),
    [
        ([Q8, Q6, Q4], "Q6_K", "the smallest that loses at most 5.0% and is not slower than F16"),
        ([Q8, Q6, Q4], "Q6_K", "the next smaller, Q4_0, loses 20.0%"),
        ([Q8, Q6, Q4], "Q6_K", "it loses 1.0%, at 41% of the size and 1.20 times the speed"),
        ([Q8, row("Q6_K", 410, 0.01, tokens_per_s=80)], "Q8_0", "the next smaller, Q6_K, is slower than F16"),
        ([Q8, row("Q6_K", 410, 0.01, tokens_per_s=96)], "Q6_K", "0.96 times the speed"),
        ([row("A", 300, 0.02), row("B", 300, 0.01)], "B", "loses 1.0%"),
        ([Q4], None, "stay with F16: even Q4_0 loses 20.0%, 5.0% are allowed"),
        ([row("Q8_0", 530, 0.001, tokens_per_s=50)], None, "stay with F16: what loses at most 5.0% is slower here"),
        ([row("F32", 2000, 0.0)], None, "nothing that was tried is smaller"),
        ([MeasuredType(type="Q2_K", problem="it crashed", is_within=False)], None, "nothing could be measured"),
        ([row("Q6_K", 410, 0.01, tokens_per_s=10, is_disturbed=True)], "Q6_K", "speeds were not compared"),
    ],
)
def test_the_smallest_is_taken_that_loses_little_and_is_not_slower(
    rows: list[MeasuredType], expected: str | None, says: str
) -> None:
    chosen, reason = recommend((F16, *rows), 0.05)

    assert chosen == expected
    assert says in reason


def test_models_that_only_read_are_judged_by_how_fast_they_read() -> None:
    source = MeasuredType(type="F16", size_bytes=1000, prefill_tokens_per_s=500.0)
    loss = ModelLoss(num_samples=26, loss_ratio=0.001)
    slow = MeasuredType(type="Q8_0", size_bytes=530, prefill_tokens_per_s=400.0, quality=loss)

    assert recommend((source, slow), 0.05)[0] is None

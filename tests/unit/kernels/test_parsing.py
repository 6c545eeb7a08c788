"""TensorIR is parsed without looking at what need not be looked at."""

import inspect
from types import FrameType
from typing import Any

import pytest

from kernels.instruction_sets import AVX2
from kernels.operators.linear import Tile, linear


def test_the_sources_of_the_stack_are_not_read_again_for_every_inline(monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[FrameType] = []
    describe = inspect.getouterframes

    def counting(frame: FrameType, context: int = 1) -> list[Any]:
        described.append(frame)
        return describe(frame, context)

    monkeypatch.setattr(inspect, "getouterframes", counting)
    linear.__wrapped__(AVX2, 16, 32, 8, Tile(1, 1))
    assert len(described) == 2  # by the decorator of the kernel, whatever is in it

"""The small words that operators share, on every lane."""

from collections.abc import Callable

import numpy as np
from tvm.script import tirx
from tvm.tirx import PrimFunc

from kernels.instruction_sets import InstructionSet
from kernels.vectors import LANES, Expr, exp, rounded, span
from tests.unit.kernels.compiled import compiled, on_each_instruction_set


def mapped(word: Callable[[Expr], Expr], dtype: str) -> PrimFunc:
    """Return `f(x, y)` that takes `word` of each vector."""

    @tirx.prim_func(s_tir=True)
    def kernel(x: tirx.handle, y: tirx.handle):
        tirx.func_attr({"tirx.noalias": True, "tirx.is_scheduled": True})
        n = tirx.int64()
        inputs = tirx.match_buffer(x, (n, LANES), "float32")
        outputs = tirx.match_buffer(y, (n, LANES), dtype)
        for i in tirx.serial(n):
            outputs[i, span(0)] = word(inputs[i, span(0)])

    return kernel


@on_each_instruction_set
def test_e_to_the_x_is_right_to_two_units_in_the_last_place(instruction_set: InstructionSet) -> None:
    x = np.linspace(-87, 88, 4096 * LANES, dtype=np.float32).reshape(-1, LANES)
    y = np.empty_like(x)
    compiled(mapped(exp, "float32"), instruction_set)(x, y)
    np.testing.assert_allclose(y, np.exp(x.astype(np.float64)), rtol=2 * 2.0**-23)


@on_each_instruction_set
def test_e_to_the_x_is_finite_and_not_negative_beyond_its_range(instruction_set: InstructionSet) -> None:
    x = np.full((1, LANES), -1e30, np.float32)
    x[0, :2] = (1e30, 200)
    y = np.empty_like(x)
    compiled(mapped(exp, "float32"), instruction_set)(x, y)
    assert np.isfinite(y).all()
    assert (y[0, 2:] >= 0).all() and (y[0, 2:] < 1e-37).all()


@on_each_instruction_set
def test_what_stands_between_two_numbers_is_rounded_to_the_even_one(instruction_set: InstructionSet) -> None:
    values = [-127, -126.5, -2.5, -1.5, -0.5, -0.4, 0, 0.4, 0.5, 0.6, 1.5, 2.5, 3.49, 126.5, 127, 4e6]
    x = np.array([values], np.float32)
    y = np.empty(x.shape, np.int32)
    compiled(mapped(rounded, "int32"), instruction_set)(x, y)
    np.testing.assert_array_equal(y, np.rint(x))

"""The integer path of the library: timed against its float path, in turns."""

import pytest

pytest.importorskip("onnxruntime", reason="the library is not installed")

from appliance.backends.onnx.kernel_timing import time_paths
from appliance.backends.onnx.kernels import time_kernels
from appliance.core.hardware import Instruction
from appliance.errors import BackendError


def test_both_paths_are_timed_for_each_number_of_rows() -> None:
    timings = time_paths(size=256, rows=(1, 3))

    assert [timing.num_rows for timing in timings] == [1, 3]
    assert all(timing.float_s > 0 and timing.integer_s > 0 for timing in timings)


def test_the_installed_library_tells_what_its_integers_bring() -> None:
    told = time_kernels(timeout_s=30)

    assert [timing.num_rows for timing in told.timings] == [1, 8]
    assert all(timing.integer_speedup_ratio > 0 for timing in told.timings)
    assert told.paths[0] == Instruction.AVX512_VNNI
    assert told.dot_products < set(told.paths)


def test_a_library_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(BackendError, match="did not answer"):
        time_kernels(timeout_s=0.001)

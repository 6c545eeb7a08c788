"""The child process that times a matrix of int4 on both paths of the library, and prints the figures as JSON.

Activations rounded to 8 bits (`accuracy_level` 4) are multiplied as integers, activations left as they are
(`accuracy_level` 0) as floats. Both take turns on the same matrix, so that a busy machine slows both.
"""

import statistics
import sys
import time
from typing import Any

import msgspec
import numpy as np
import onnxruntime as native

from appliance.backends.onnx.kernels import Timing
from appliance.backends.onnx.trial_graphs import packed_product

SIZE = 2048
ROWS = (1, 8)
_FLOAT, _INTEGER = 0, 4
_NUM_TURNS, _MAX_TURNS_S = 30, 0.5
_ERRORS_ONLY = 3


def time_paths(size: int = SIZE, rows: tuple[int, ...] = ROWS) -> tuple[Timing, ...]:
    """Return a timing for each number of rows, on one thread."""
    sessions = [_session(packed_product(size, size, level)) for level in (_FLOAT, _INTEGER)]
    return tuple(_time(sessions, np.ones((num_rows, size), np.float32)) for num_rows in rows)


def _time(sessions: list[Any], activations: np.ndarray[Any, Any]) -> Timing:
    durations_s: list[list[float]] = [[], []]
    stop_s = time.perf_counter() + _MAX_TURNS_S
    while len(durations_s[0]) < _NUM_TURNS and (time.perf_counter() < stop_s or len(durations_s[0]) < 3):
        for session, found in zip(sessions, durations_s, strict=True):
            begin_s = time.perf_counter()
            session.run(None, {"x": activations})
            found.append(time.perf_counter() - begin_s)
    float_s, integer_s = (statistics.median(found) for found in durations_s)
    return Timing(num_rows=len(activations), float_s=float_s, integer_s=integer_s)


def _session(model: bytes) -> Any:
    options = native.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = 1
    return native.InferenceSession(model, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(time_paths()))

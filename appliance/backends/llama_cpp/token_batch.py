"""The arrays behind a `llama_batch`, filled through numpy: no Python loop over tokens. Knows nothing of a context."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.backends.base import Run
from appliance.backends.llama_cpp.library import native

_INT32_BYTES = 4


class TokenBatch:
    """Tokens of one step in the library's form. `native` points into the arrays, which live as long as this object."""

    def __init__(self, max_tokens: int, max_context_tokens: int) -> None:
        self._tokens = np.zeros(max_tokens, np.int32)
        self._positions = np.zeros(max_tokens, np.int32)
        self._sequences = np.zeros(max_tokens, np.int32)
        self._wants_output = np.zeros(max_tokens, np.int8)
        self._num_sequences = np.ones(max_tokens, np.int32)
        offsets = np.arange(max_tokens, dtype=np.uintp) * _INT32_BYTES
        self._sequence_pointers = offsets + np.uintp(self._sequences.ctypes.data)
        self._counting = np.arange(max_context_tokens, dtype=np.int32)
        self.native = native.llama_batch(
            n_tokens=0,
            token=_pointer(self._tokens, native.llama_token),
            pos=_pointer(self._positions, native.llama_pos),
            n_seq_id=_pointer(self._num_sequences, ctypes.c_int32),
            seq_id=_pointer(self._sequence_pointers, ctypes.POINTER(native.llama_seq_id)),
            logits=_pointer(self._wants_output, ctypes.c_int8),
        )

    def fill(
        self, runs: Sequence[Run], num_tokens: int, position: Callable[[int, int], int] = lambda _, index: index
    ) -> None:
        """Lay the runs out one after the other; `num_tokens` is their sum.

        `position` returns where a sequence's token of an index stands.
        """
        self._wants_output[:num_tokens] = 0
        end = 0
        for run in runs:
            begin, end = end, end + len(run.tokens)
            self._tokens[begin:end] = run.tokens
            first = position(run.sequence, run.start)
            self._positions[begin:end] = self._counting[first : first + end - begin]
            self._sequences[begin:end] = run.sequence
            self._wants_output[end - run.num_outputs : end] = 1
        self.native.n_tokens = num_tokens


def _pointer(values: npt.NDArray[Any], kind: type) -> object:
    return values.ctypes.data_as(ctypes.POINTER(kind))

"""A `llama_batch` of embeddings in place of tokens. Knows nothing of a context."""

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.backends.llama_cpp.library import native


class EmbeddingBatch:
    """Embeddings of one sequence in the library's form. `native` points into the arrays of this object."""

    def __init__(
        self, embeddings: npt.NDArray[np.float32], positions: npt.NDArray[np.int32], sequence: int, num_outputs: int
    ) -> None:
        """`embeddings` is `(num_tokens, width)`, `positions` `(num_sections, num_tokens)`."""
        num_tokens = len(embeddings)
        self._embeddings = np.ascontiguousarray(embeddings)
        self._positions = np.ascontiguousarray(positions)
        self._num_sequences = np.ones(num_tokens, np.int32)
        self._sequence = np.array([sequence], np.int32)
        self._sequence_pointers = np.full(num_tokens, self._sequence.ctypes.data, np.uintp)
        self._wants_output = np.zeros(num_tokens, np.int8)
        self._wants_output[num_tokens - num_outputs :] = 1
        self.native = native.llama_batch(
            n_tokens=num_tokens,
            embd=_pointer(self._embeddings, ctypes.c_float),
            pos=_pointer(self._positions, native.llama_pos),
            n_seq_id=_pointer(self._num_sequences, ctypes.c_int32),
            seq_id=_pointer(self._sequence_pointers, ctypes.POINTER(native.llama_seq_id)),
            logits=_pointer(self._wants_output, ctypes.c_int8),
        )


def _pointer(values: npt.NDArray[Any], kind: type) -> object:
    return values.ctypes.data_as(ctypes.POINTER(kind))

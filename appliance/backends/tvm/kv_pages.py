"""The keys and values of one model: arrays of pages for each layer, and what is done to pages outside of steps."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.backends.tvm.pages import PageCopy
from appliance.backends.tvm.runtime import aligned_zeros
from kernels.paging import PAGE, KvType, Pages, key_shape, key_tokens, token_bytes, value_shape, value_tokens
from kernels.shape import DecoderShape

Bytes = npt.NDArray[np.uint8]


class KvPages:
    """Memory for `num_pages` pages. Nobody else reads or writes it but the compiled step."""

    def __init__(self, shape: DecoderShape, num_pages: int, kv_type: KvType) -> None:
        heads = shape.heads
        shapes = (key_shape(heads, kv_type), value_shape(heads, kv_type))
        self.arrays: list[Pages] = [
            aligned_zeros((num_pages, heads.num_kv, each.rows, each.columns), each.dtype)
            for _ in shape.layers
            for each in shapes
        ]
        """In the order of `step`: keys and values of each layer."""
        views = (key_tokens, value_tokens)
        self._parts = [part for place, pages in enumerate(self.arrays) for part in views[place % 2](pages) if part.size]
        self.token_bytes = len(shape.layers) * token_bytes(heads, kv_type)

    def copy(self, copies: Iterable[PageCopy]) -> None:
        """Copy whole pages, in all layers."""
        for source, target in copies:
            for array in self.arrays:
                array[target] = array[source]

    def read(self, pages: Sequence[int], start: int, end: int) -> memoryview:
        """Return positions `[start, end)` of a sequence: array by array, its numbers in the order of the tokens."""
        table, places = _places(pages, start, end)
        content = np.empty(self.size_bytes(end - start), np.uint8)
        for part, target in self._cut(content, end - start):
            target[:] = part[table, :, places]
        return content.data

    def write(self, pages: Sequence[int], start: int, end: int, content: memoryview) -> None:
        """Write what `read` returned to the same positions."""
        table, places = _places(pages, start, end)
        for part, source in self._cut(np.frombuffer(content, np.uint8), end - start):
            part[table, :, places] = source

    def size_bytes(self, num_tokens: int) -> int:
        """Return the length of what `read` returns for so many tokens."""
        return num_tokens * self.token_bytes

    def _cut(self, content: Bytes, num_tokens: int) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """Yield each view of the pages by token, and its place in `content`, `(num_tokens, num_kv, numbers)`."""
        begin = 0
        for part in self._parts:
            num_kv, num_numbers = part.shape[1], part.shape[3]
            end = begin + num_tokens * num_kv * num_numbers * part.itemsize
            yield part, content[begin:end].view(part.dtype).reshape(num_tokens, num_kv, num_numbers)
            begin = end


def _places(pages: Sequence[int], start: int, end: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the page of each position, and its place in it."""
    positions = np.arange(start, end)
    return np.asarray(pages, np.int64)[positions // PAGE], positions % PAGE

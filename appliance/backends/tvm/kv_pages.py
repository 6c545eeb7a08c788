"""The keys and values of one model: arrays of pages for each layer, and what is done to pages outside of steps."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from appliance.backends.tvm.pages import PageCopy
from appliance.backends.tvm.runtime import aligned_zeros
from kernels.paging import PAGE
from kernels.shape import DecoderShape

Halves = npt.NDArray[np.float16]


class KvPages:
    """Memory for `num_pages` pages. Nobody else reads or writes it but the compiled step."""

    def __init__(self, shape: DecoderShape, num_pages: int) -> None:
        heads = shape.heads
        self._keys: list[Halves] = []
        self._values: list[Halves] = []
        for _ in shape.layers:
            self._keys.append(aligned_zeros((num_pages, heads.num_kv, heads.size, PAGE), "float16"))
            self._values.append(aligned_zeros((num_pages, heads.num_kv, PAGE, heads.size), "float16"))
        self._num_kv, self._size = heads.num_kv, heads.size

    @property
    def arrays(self) -> list[Halves]:
        """The arrays in the order of `step`: keys and values of each layer."""
        return [array for pair in zip(self._keys, self._values, strict=True) for array in pair]

    def copy(self, copies: Iterable[PageCopy]) -> None:
        """Copy whole pages, in all layers."""
        for source, target in copies:
            for array in (*self._keys, *self._values):
                array[target] = array[source]

    def read(self, pages: Sequence[int], start: int, end: int) -> memoryview:
        """Return positions `[start, end)` of a sequence, `(layers, 2, end - start, KV heads, size)`."""
        table, places = _places(pages, start, end)
        content = np.empty((len(self._keys), 2, end - start, self._num_kv, self._size), np.float16)
        for layer, (keys, values) in enumerate(zip(self._keys, self._values, strict=True)):
            content[layer, 0] = keys[table, :, :, places]
            content[layer, 1] = values[table, :, places]
        return content.reshape(-1).view(np.uint8).data

    def write(self, pages: Sequence[int], start: int, end: int, content: memoryview) -> None:
        """Write what `read` returned to the same positions."""
        table, places = _places(pages, start, end)
        numbers = np.frombuffer(content, np.float16)
        halves = numbers.reshape(len(self._keys), 2, end - start, self._num_kv, self._size)
        for layer, (keys, values) in enumerate(zip(self._keys, self._values, strict=True)):
            keys[table, :, :, places] = halves[layer, 0]
            values[table, :, places] = halves[layer, 1]

    def size_bytes(self, num_tokens: int) -> int:
        """Return the length of what `read` returns for so many tokens."""
        return len(self._keys) * 2 * num_tokens * self._num_kv * self._size * 2


def _places(pages: Sequence[int], start: int, end: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the page of each position, and its place in it."""
    positions = np.arange(start, end)
    return np.asarray(pages, np.int64)[positions // PAGE], positions % PAGE

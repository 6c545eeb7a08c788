"""The KV cache of a decoder: one row for each sequence, of which only touched pages take memory.

onnxruntime appends to the rows in place, since each is bound as the past and as the present. A batch is a range of
neighbouring rows; `gather` moves sequences until those that step together lie side by side.
"""

import mmap
from collections.abc import Callable, Sequence
from math import gcd

import numpy as np
import numpy.typing as npt

from appliance.backends.onnx.layout import DecoderLayout, KvType

CacheArray = npt.NDArray[np.float32] | npt.NDArray[np.int8]
KV_DTYPES: dict[KvType, type[np.float32] | type[np.int8]] = {"f32": np.float32, "int8": np.int8}
_FREE = -1


class Arena:
    """Rows of keys and values, and which sequence lies in which row."""

    def __init__(self, layout: DecoderLayout, num_rows: int, max_tokens: int) -> None:
        # Each head's part of a row begins on a page, whatever its width.
        self.dtype = np.dtype(KV_DTYPES[layout.kv_type])
        page_values = mmap.PAGESIZE // self.dtype.itemsize
        alignment = max(page_values // gcd(page_values, layer.head_width) for layer in layout.layers)
        self.row_tokens = -(-max_tokens // alignment) * alignment
        self.num_rows = num_rows
        self._maps: list[mmap.mmap] = []
        self.caches: list[CacheArray] = []  # (num_rows, heads, row_tokens, width): keys, values of layer 0, keys of 1 …
        for layer in layout.layers:
            shape = (num_rows, layer.num_heads, self.row_tokens, layer.head_width)
            for _ in ("keys", "values"):
                memory = mmap.mmap(-1, int(np.prod(shape)) * self.dtype.itemsize, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
                self._maps.append(memory)
                self.caches.append(np.frombuffer(memory, self.dtype).reshape(shape))
        self._row_of: dict[int, int] = {}
        self._sequence_in = [_FREE] * num_rows
        self._touched_tokens = [0] * num_rows

    def row(self, sequence: int) -> int:
        """Return the row of a sequence, the lowest free one if it has none."""
        row = self._row_of.get(sequence)
        if row is None:
            row = self._sequence_in.index(_FREE)
            self._place(sequence, row)
        return row

    def release(self, sequence: int) -> None:
        """Give the row of a sequence back, and its memory to the system."""
        row = self._row_of.pop(sequence, None)
        if row is not None:
            self._sequence_in[row] = _FREE
            self._forget_pages(row, 0)

    def touch(self, row: int, num_tokens: int) -> None:
        """Note that so many tokens of the row were written."""
        self._touched_tokens[row] = max(self._touched_tokens[row], num_tokens)

    def copy(self, source: int, target: int, num_tokens: int) -> None:
        """Copy the first tokens of one sequence's row to another's."""
        source_row, target_row = self.row(source), self.row(target)
        for cache in self.caches:
            cache[target_row, :, :num_tokens] = cache[source_row, :, :num_tokens]
        self.touch(target_row, num_tokens)

    def read(self, sequence: int, start: int, end: int) -> npt.NDArray[np.uint8]:
        """Return a copy of tokens `[start, end)`: caches one after the other, each (heads, end - start, width)."""
        row = self.row(sequence)
        return np.concatenate([cache[row, :, start:end].ravel() for cache in self.caches]).view(np.uint8)

    def write(self, sequence: int, start: int, content: npt.NDArray[np.uint8]) -> None:
        """Fill the tokens from `start` on with what `read` returned."""
        row, values, begin = self.row(sequence), content.view(self.dtype), 0
        num_tokens = len(values) // sum(cache.shape[1] * cache.shape[3] for cache in self.caches)
        end = start + num_tokens
        for cache in self.caches:
            _, heads, _, width = cache.shape
            part = values[begin : begin + heads * num_tokens * width]
            cache[row, :, start:end] = part.reshape(heads, num_tokens, width)
            begin += len(part)
        self.touch(row, end)

    def gather(self, sequences: Sequence[int], length_of: Callable[[int], int]) -> int:
        """Make the sequences, of lengths that `length_of` tells, lie side by side and return their first row.

        What is moved is the least in tokens; a row in the way changes places. A gap would cost a row's share of every
        step: measured with 0.5B parameters in int4, 3 ms, where moving 256 tokens costs 0.4 ms, once.
        """
        stepping = {self.row(sequence): length_of(sequence) for sequence in sequences}
        count = len(stepping)
        if max(stepping) - min(stepping) < count:
            return min(stepping)
        held = enumerate(self._sequence_in)
        idle = {row: length_of(sequence) for row, sequence in held if sequence != _FREE and row not in stepping}

        def moved_tokens(first: int) -> int:
            window = range(first, first + count)
            return sum(n for row, n in idle.items() if row in window) + sum(
                n for row, n in stepping.items() if row not in window
            )

        first = min(range(self.num_rows - count + 1), key=moved_tokens)
        outside = [row for row in stepping if not first <= row < first + count]
        for gap in range(first, first + count):
            if gap not in stepping:
                self._swap(gap, outside.pop(), length_of)
        return first

    def close(self) -> None:
        """Give all memory back."""
        self.caches.clear()
        self._maps.clear()

    def _swap(self, gap: int, moved: int, length_of: Callable[[int], int]) -> None:
        idle, stepping = self._sequence_in[gap], self._sequence_in[moved]
        num_idle, num_stepping = 0 if idle == _FREE else length_of(idle), length_of(stepping)
        for cache in self.caches:
            kept = cache[gap, :, :num_idle].copy()
            cache[gap, :, :num_stepping] = cache[moved, :, :num_stepping]
            cache[moved, :, :num_idle] = kept
        self.touch(gap, num_stepping)
        self.touch(moved, num_idle)
        self._forget_pages(gap, num_stepping)
        self._forget_pages(moved, num_idle)
        self._place(stepping, gap)
        self._place(idle, moved)

    def _place(self, sequence: int, row: int) -> None:
        self._sequence_in[row] = sequence
        if sequence != _FREE:
            self._row_of[sequence] = row

    def _forget_pages(self, row: int, num_kept: int) -> None:
        """Give back what was touched behind the first tokens; it reads as zero from then on."""
        num_touched, self._touched_tokens[row] = self._touched_tokens[row], num_kept
        for memory, cache in zip(self._maps, self.caches, strict=True):
            _, heads, row_tokens, width = cache.shape
            token_bytes = width * self.dtype.itemsize
            begin, end = (_whole_pages(tokens * token_bytes) for tokens in (num_kept, num_touched))
            if begin < end:
                for head in range(row * heads, (row + 1) * heads):
                    memory.madvise(mmap.MADV_DONTNEED, head * row_tokens * token_bytes + begin, end - begin)


def _whole_pages(num_bytes: int) -> int:
    return -(-num_bytes // mmap.PAGESIZE) * mmap.PAGESIZE

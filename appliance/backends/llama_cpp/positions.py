"""Where the tokens of each sequence stand for the library, where a picture takes fewer positions than tokens (M-RoPE).

Else a token's position is its index, and nothing is noted here.
"""

import numpy as np

from appliance.backends.base import SnapshotRejected

_Span = tuple[int, int]
"""Where a medium ends, and how many positions fewer than tokens it takes."""

_TYPE = np.dtype("<i4")


class Positions:
    """The media of each sequence that take fewer positions than tokens."""

    def __init__(self, max_sequences: int) -> None:
        self._spans: list[list[_Span]] = [[] for _ in range(max_sequences)]

    def of(self, sequence: int, index: int) -> int:
        """Return the position of a token, or of the one that comes next. Not of one within a medium."""
        return index - sum(saved for end, saved in self._spans[sequence] if end <= index)

    def append(self, sequence: int, end: int, num_saved: int) -> None:
        """Note that the last tokens up to `end` were a medium that takes so many positions fewer."""
        if num_saved:
            self._spans[sequence].append((end, num_saved))

    def copy(self, source: int, target: int, num_tokens: int) -> None:
        """Let the empty `target` begin as `source` does."""
        self._spans[target] = self._within(source, 0, num_tokens)

    def truncate(self, sequence: int, num_tokens: int) -> None:
        """Forget what lies past `num_tokens`."""
        if self._spans[sequence]:
            self._spans[sequence] = self._within(sequence, 0, num_tokens)

    def written(self, sequence: int, start: int, end: int) -> bytes:
        """Return what `read` needs of tokens `[start, end)`."""
        spans = self._within(sequence, start, end)
        return np.array([*(value for span in spans for value in span), len(spans)], _TYPE).tobytes()

    def read(self, sequence: int, content: memoryview) -> int:
        """Append what `written` wrote to the end of `content`. Returns its length. Raises: SnapshotRejected."""
        size = _TYPE.itemsize
        num_spans = int(np.frombuffer(content[-size:], _TYPE)[0]) if content.nbytes >= size else -1
        num_bytes = (2 * num_spans + 1) * size
        if num_spans < 0 or num_bytes > content.nbytes:
            raise SnapshotRejected("the snapshot does not say where its media are")
        values = np.frombuffer(content[-num_bytes : -_TYPE.itemsize], _TYPE).tolist()
        self._spans[sequence] += list(zip(values[::2], values[1::2], strict=True))
        return num_bytes

    def _within(self, sequence: int, start: int, end: int) -> list[_Span]:
        return [span for span in self._spans[sequence] if start < span[0] <= end]

"""Which pages of the KV cache each sequence holds. Pure bookkeeping: a page is a number, and who reads it is counted.

Sequences share whole pages. Whoever writes behind a part of a page needs it for itself, so a page that others read is
first copied: `reserve` says which, before anything is computed.
"""

from collections.abc import Sequence
from typing import NamedTuple

from kernels.paging import PAGE


class PageCopy(NamedTuple):
    """The contents of page `source` are to be in page `target`, too."""

    source: int
    target: int


class PageTable:
    """The pages of every sequence."""

    def __init__(self, num_pages: int, max_sequences: int) -> None:
        self._free = list(range(num_pages))
        self._num_readers = [0] * num_pages
        self._pages: list[list[int]] = [[] for _ in range(max_sequences)]

    @property
    def num_free(self) -> int:
        """Pages that nobody holds."""
        return len(self._free)

    def pages(self, sequence: int) -> Sequence[int]:
        """Return the pages of a sequence, in the order of its tokens."""
        return self._pages[sequence]

    def share(self, source: int, target: int, num_tokens: int) -> None:
        """Let the empty `target` begin with the first tokens of `source`."""
        pages = self._pages[source][: -(-num_tokens // PAGE)]
        for page in pages:
            self._num_readers[page] += 1
        self._pages[target] = list(pages)

    def truncate(self, sequence: int, num_tokens: int) -> None:
        """Give back the pages behind the first `num_tokens`."""
        pages, num_kept = self._pages[sequence], -(-num_tokens // PAGE)
        for page in reversed(pages[num_kept:]):
            self._release(page)
        del pages[num_kept:]

    def reserve(self, sequence: int, start: int, end: int) -> list[PageCopy] | None:
        """Make positions `[start, end)` writable for the sequence, which holds `start` tokens.

        Returns the copies that must be made first, None where there are not enough pages: then nothing has changed.
        """
        pages = self._pages[sequence]
        is_torn = start % PAGE != 0 and self._num_readers[pages[-1]] > 1
        num_new = -(-end // PAGE) - len(pages)
        if num_new + is_torn > len(self._free):
            return None
        copies = []
        if is_torn:
            own = self._take()
            copies.append(PageCopy(pages[-1], own))
            self._num_readers[pages[-1]] -= 1
            pages[-1] = own
        pages.extend(self._take() for _ in range(num_new))
        return copies

    def _take(self) -> int:
        page = self._free.pop()
        self._num_readers[page] = 1
        return page

    def _release(self, page: int) -> None:
        self._num_readers[page] -= 1
        if not self._num_readers[page]:
            self._free.append(page)

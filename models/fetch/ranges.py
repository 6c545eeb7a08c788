"""Which bytes of a file are here: half-open ranges `[start, end)`, sorted, neither overlapping nor touching. Pure."""

from collections.abc import Iterable
from itertools import pairwise
from typing import TypeAlias

Range: TypeAlias = tuple[int, int]
Ranges: TypeAlias = tuple[Range, ...]


def add(ranges: Ranges, start: int, end: int) -> Ranges:
    """Return the ranges with `[start, end)` among them."""
    if start >= end:
        return ranges
    before = tuple(each for each in ranges if each[1] < start)
    after = tuple(each for each in ranges if each[0] > end)
    met = [each for each in ranges if each[1] >= start and each[0] <= end]
    return (*before, (min([start, *(low for low, _ in met)]), max([end, *(high for _, high in met)])), *after)


def missing(ranges: Ranges, size_bytes: int) -> Ranges:
    """Return what a file of that size lacks."""
    edges = [0, *(edge for each in ranges for edge in each), size_bytes]
    return tuple((low, high) for low, high in zip(edges[::2], edges[1::2], strict=True) if low < high)


def num_bytes(ranges: Iterable[Range]) -> int:
    """Return how many bytes the ranges hold."""
    return sum(end - start for start, end in ranges)


def prefix_bytes(ranges: Ranges) -> int:
    """Return how many bytes are here without a gap from the file's beginning on."""
    return ranges[0][1] if ranges and ranges[0][0] == 0 else 0


def are_sound(ranges: Ranges, size_bytes: int) -> bool:
    """Return whether these can be ranges of such a file: what was read from a disk may be anything."""
    edges = [edge for each in ranges for edge in each]
    return all(low < high for low, high in pairwise(edges)) and (
        not edges or (edges[0] >= 0 and edges[-1] <= size_bytes)
    )

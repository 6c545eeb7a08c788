"""Ranges of bytes against sets of numbers."""

from hypothesis import given
from hypothesis import strategies as st

from models.fetch import ranges
from models.fetch.ranges import Ranges

SIZE = 40
SPANS = st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)), max_size=20)


def built(spans: list[tuple[int, int]]) -> tuple[Ranges, set[int]]:
    found: Ranges = ()
    numbers: set[int] = set()
    for start, end in spans:
        found = ranges.add(found, start, end)
        numbers |= set(range(start, end))
    return found, numbers


def numbers_of(found: Ranges) -> set[int]:
    return {number for start, end in found for number in range(start, end)}


@given(SPANS)
def test_ranges_hold_what_was_added_and_are_as_few_as_can_be(spans: list[tuple[int, int]]) -> None:
    found, numbers = built(spans)
    assert numbers_of(found) == numbers
    assert ranges.num_bytes(found) == len(numbers)
    assert ranges.are_sound(found, SIZE)
    assert len(found) == sum(number - 1 not in numbers for number in numbers)


@given(SPANS)
def test_what_is_missing_is_all_the_rest(spans: list[tuple[int, int]]) -> None:
    found, numbers = built(spans)
    assert numbers_of(ranges.missing(found, SIZE)) == set(range(SIZE)) - numbers
    first_gap = min(set(range(SIZE + 1)) - numbers)
    assert ranges.prefix_bytes(found) == first_gap


def test_what_a_broken_disk_says_is_not_believed() -> None:
    for wrong in (((5, 3),), ((0, 5), (4, 9)), ((0, 5), (5, 9)), ((-1, 5),), ((0, SIZE + 1),)):
        assert not ranges.are_sound(wrong, SIZE)
    assert ranges.are_sound((), SIZE)

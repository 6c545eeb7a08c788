"""Prefixes in main memory, against a naive twin."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from appliance.backends.base import Snapshot
from appliance.core.request import RequestId
from appliance.engine.offload import OffloadedPrefix, OffloadedPrefixes
from appliance.engine.prefix import Grid

BYTES_PER_TOKEN = 4
GRID = Grid(1, can_truncate=True)


def prefix(*tokens: int, owner: str = "r") -> OffloadedPrefix:
    snapshot = Snapshot(len(tokens), "test", (memoryview(bytes(BYTES_PER_TOKEN * len(tokens))),))
    return OffloadedPrefix(RequestId(owner), np.array(tokens, np.int32), snapshot)


def array(*tokens: int) -> np.ndarray:
    return np.array(tokens, np.int32)


token_lists = st.lists(st.integers(0, 2), min_size=1, max_size=8)


@given(st.lists(token_lists, max_size=8), token_lists)
def test_the_longest_common_prefix_is_found_and_its_last_token_left_to_compute(
    held: list[list[int]], wanted: list[int]
) -> None:
    store = OffloadedPrefixes(GRID, max_bytes=10_000)
    for tokens in held:
        store.insert(prefix(*tokens))
        store.check_integrity()
    common = [
        next((i for i, (a, b) in enumerate(zip(t, wanted, strict=False)) if a != b), min(len(t), len(wanted)))
        for t in held
    ]
    _, most = store.match(array(*wanted))
    assert most == min(max(common, default=0), len(wanted) - 1)


def test_a_snapshot_takes_the_place_of_those_that_it_continues() -> None:
    store = OffloadedPrefixes(GRID, max_bytes=10_000)
    for tokens in ((1, 2), (1, 2, 3), (1, 5)):
        store.insert(prefix(*tokens))
    assert len(store) == 2


def test_the_least_recently_used_goes_when_the_budget_is_spent() -> None:
    store = OffloadedPrefixes(GRID, max_bytes=2 * prefix(1, 2, 3).num_bytes)
    for tokens in ((1, 2, 3), (4, 5, 6)):
        store.insert(prefix(*tokens))
    store.match(array(1, 2, 3, 9))
    store.insert(prefix(7, 8, 9))
    store.check_integrity()
    assert store.match(array(1, 2, 3, 9))[1] == 3
    assert store.match(array(4, 5, 6, 9))[1] == 0


def test_one_larger_than_the_budget_is_not_kept() -> None:
    store = OffloadedPrefixes(GRID, max_bytes=10)
    store.insert(prefix(1, 2, 3))
    assert len(store) == 0


def test_only_the_owner_finds_what_is_asked_for_by_owner() -> None:
    store = OffloadedPrefixes(GRID, max_bytes=10_000)
    store.insert(prefix(1, 2, 3, owner="a"))
    assert store.match(array(1, 2, 3, 4), owner=RequestId("b"))[1] == 0
    assert store.match(array(1, 2, 3, 4), owner=RequestId("a"))[1] == 3

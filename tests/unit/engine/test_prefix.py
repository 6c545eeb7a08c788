"""The prefix index against a naive twin that compares token by token."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from appliance.engine.prefix import EVERYBODY, Entry, Grid, PrefixIndex, Scope, common_prefix_tokens, scope_of

PRIVATE = scope_of("private", "r", is_private=True)


def entry(
    handle: int,
    tokens: list[int],
    num_tokens: int | None = None,
    *,
    is_locked: bool = True,
    scope: Scope = EVERYBODY,
) -> Entry:
    return Entry(
        handle=handle,
        scope=scope,
        tokens=np.array(tokens, np.int32),
        num_tokens=len(tokens) if num_tokens is None else num_tokens,
        num_planned=len(tokens),
        is_locked=is_locked,
        last_used_s=float(handle),
    )


def index(*entries: Entry, grid: int = 1, can_truncate: bool = True) -> PrefixIndex:
    made = PrefixIndex(Grid(grid, can_truncate))
    for each in entries:
        made.insert(each)
    return made


def array(*tokens: int) -> np.ndarray:
    return np.array(tokens, np.int32)


def naive_common(left: list[int], right: list[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


token_lists = st.lists(st.integers(0, 2), max_size=12)


@given(token_lists, token_lists)
def test_the_common_prefix_is_that_of_the_naive_twin(left: list[int], right: list[int]) -> None:
    assert common_prefix_tokens(array(*left), array(*right)) == naive_common(left, right)


@given(st.lists(st.tuples(token_lists, st.integers(0, 12)), max_size=6), token_lists, st.integers(1, 4))
def test_a_match_is_the_longest_that_the_naive_twin_finds(
    held: list[tuple[list[int], int]], wanted: list[int], grid: int
) -> None:
    entries = [entry(i, tokens, min(done, len(tokens))) for i, (tokens, done) in enumerate(held)]
    made = index(*entries, grid=grid)
    made.check_integrity()
    found = made.match(array(*wanted), EVERYBODY)
    shared = [min(naive_common(tokens, wanted), max(len(wanted) - 1, 0)) for tokens, _ in held]
    now = [min(s, e.num_tokens) // grid * grid for s, e in zip(shared, entries, strict=True)]
    assert found.num_tokens == max(now, default=0)
    assert found.num_coming == max((s // grid * grid for s in shared), default=0)


def test_the_last_token_is_always_left_to_compute() -> None:
    assert index(entry(0, [1, 2, 3])).match(array(1, 2, 3), EVERYBODY).num_tokens == 2


def test_a_state_that_cannot_be_truncated_matches_whole_or_not_at_all() -> None:
    made = index(entry(0, [1, 2, 3]), can_truncate=False)
    assert made.match(array(1, 2, 9, 9), EVERYBODY).num_tokens == 0
    assert made.match(array(1, 2, 3, 9), EVERYBODY).num_tokens == 3


def test_a_prefill_under_way_is_announced() -> None:
    found = index(entry(0, [1, 2, 3, 4, 5], num_tokens=2)).match(array(1, 2, 3, 4, 9), EVERYBODY)
    assert (found.num_tokens, found.num_coming) == (2, 4)


def test_what_is_held_in_different_scopes_never_meets() -> None:
    made = index(entry(0, [1, 2, 3], scope=PRIVATE), entry(1, [1, 2]))
    other = scope_of("private", "other", is_private=True)
    assert made.match(array(1, 2, 3, 4), PRIVATE).num_tokens == 3
    assert made.match(array(1, 2, 3, 4), EVERYBODY).num_tokens == 2
    assert made.match(array(1, 2, 3, 4), other) == made.match(array(9, 9), PRIVATE)


def test_scopes_differ_when_any_of_their_names_does() -> None:
    names = [(), ("a",), ("b",), ("a", "b"), ("ab",)]
    assert len({scope_of(*each).key for each in names}) == len(names)
    assert scope_of("a") == scope_of("a") != scope_of("a", is_private=True)
    assert not EVERYBODY.is_private


def test_the_least_recently_used_goes_first_and_never_one_in_use() -> None:
    made = index(entry(0, [1]), entry(1, [2], is_locked=False), entry(2, [3], is_locked=False))
    oldest = made.oldest_retained(but=())
    assert oldest is not None and oldest.handle == 1
    kept = made.oldest_retained(but=(oldest.handle,))
    assert kept is not None and kept.handle == 2


def test_what_a_sequence_leaves_behind_is_retained_until_removed() -> None:
    made = index(entry(0, [1, 2, 3, 4], num_tokens=1))
    made.extend(0, 3)
    assert made.retained_tokens == 0
    made.release(0, now_s=5.0)
    assert made.retained_tokens == 3
    made.check_integrity()
    made.remove(0)
    assert len(made) == 0

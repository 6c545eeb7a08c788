import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engine.stops import StopMatcher

TEXTS = st.text("ab\n", max_size=24)
STOPS = st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3).map(tuple)


def outcome(stops: tuple[str, ...], pieces: list[str]) -> tuple[str, bool]:
    matcher, passed = StopMatcher(stops), ""
    for piece in pieces:
        safe, stopped = matcher.feed(piece)
        passed += safe
        if stopped:
            return passed, True
    return passed + matcher.flush(), False


def outcome_plainly(stops: tuple[str, ...], text: str) -> tuple[str, bool]:
    for end in range(1, len(text) + 1):
        ending = [stop for stop in stops if text[:end].endswith(stop)]
        if ending:
            return text[: end - max(map(len, ending))], True
    return text, False


def test_text_before_the_stop_string_comes_out_and_nothing_after() -> None:
    assert StopMatcher(("END",)).feed("one END two") == ("one ", True)


def test_the_stop_string_that_ended_it_is_named() -> None:
    matcher = StopMatcher(("ND", "END", "more"))
    assert matcher.matched is None
    matcher.feed("one E")
    matcher.feed("ND two")
    assert matcher.matched == "END"


def test_a_stop_string_across_pieces_is_found_and_never_shown() -> None:
    matcher = StopMatcher(("\nUser:",))
    fed = [matcher.feed(piece) for piece in ("Hi\n", "Us", "er", ": you")]
    assert fed == [("Hi", False), ("", False), ("", False), ("", True)]


def test_text_that_only_began_like_a_stop_string_comes_out_as_soon_as_that_is_known() -> None:
    matcher = StopMatcher(("abac",))
    assert [matcher.feed(piece) for piece in ("xaba", "b", "z")] == [("x", False), ("ab", False), ("abz", False)]


def test_what_is_held_at_the_end_is_text() -> None:
    matcher = StopMatcher(("END",))
    assert matcher.feed("the EN") == ("the ", False)
    assert matcher.flush() == "EN"
    assert matcher.flush() == ""


@pytest.mark.parametrize("stops", [(), ("",)])
def test_without_stop_strings_everything_passes(stops: tuple[str, ...]) -> None:
    matcher = StopMatcher(stops)
    assert matcher.feed("as it is") == ("as it is", False)
    assert matcher.flush() == ""


@given(STOPS, TEXTS, st.data())
def test_the_result_is_the_same_however_the_text_is_cut(stops: tuple[str, ...], text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)))))
    edges = [0, *cuts, len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
    assert outcome(stops, pieces) == outcome_plainly(stops, text)

"""What the text of a window means: segments, the next window, and whether it is worth keeping."""

import pytest

from appliance.engine.hearing.window import Attempt, Span, cut

FIRST, LENGTH = 100, 1500
T = FIRST.__add__


@pytest.mark.parametrize(
    ("tokens", "spans", "heard"),
    [
        # Two whole segments, and the beginning of a third that is heard again
        ([T(0), 1, T(100), T(100), 2, T(250), T(250), 3], [(0, 100, 3), (100, 250, 3)], 250),
        # Two whole segments at the window's end: nothing follows them
        ([T(0), 1, T(100), T(120), 2, T(300)], [(0, 100, 3), (120, 300, 3)], None),
        # One segment with its end
        ([T(0), 1, 2, T(300)], [(0, 300, 4)], None),
        # One segment that goes on behind the window
        ([T(0), 1, 2], [(0, LENGTH, 3)], None),
        ([], [(0, LENGTH, 0)], None),
        # A pair at the end: all of it was heard up to there
        ([T(0), 1, T(100), T(100)], [(0, 100, 3)], 100),
    ],
)
def test_a_window_is_cut_at_pairs_of_times(
    tokens: list[int], spans: list[tuple[int, int, int]], heard: int | None
) -> None:
    found = cut(tokens, FIRST, LENGTH)
    assert [(span.start, span.end, len(span.tokens)) for span in found.spans] == spans
    assert found.heard == heard


def test_a_segment_has_its_own_tokens() -> None:
    found = cut([T(0), 1, T(5), T(6), 2, T(9)], FIRST, LENGTH)
    assert found.spans == (Span(0, 5, (T(0), 1, T(5))), Span(6, 9, (T(6), 2, T(9))))


def attempt(text: str = "a text that says something", mean_logprob: float = -0.3, no_speech: float = 0.1) -> Attempt:
    return Attempt((1,), text, 0.0, mean_logprob, no_speech)


def test_a_text_that_repeats_itself_or_is_improbable_is_tried_again() -> None:
    assert attempt().is_good
    assert not attempt(text="again " * 50).is_good
    assert not attempt(mean_logprob=-1.1).is_good


def test_silence_needs_both_signs_and_is_not_tried_again() -> None:
    assert attempt(mean_logprob=-1.1, no_speech=0.7).is_silence
    assert attempt(mean_logprob=-1.1, no_speech=0.7).is_good
    assert not attempt(mean_logprob=-0.5, no_speech=0.7).is_silence
    assert not attempt(mean_logprob=-1.1, no_speech=0.5).is_silence

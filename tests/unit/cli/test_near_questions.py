"""Thresholds judged on pairs of questions."""

import pytest

from appliance.cli.exits import CommandError
from appliance.cli.near_questions import Judged, Pair, advice, judge, read_pairs


def test_pairs_are_read_with_their_kind() -> None:
    assert read_pairs(["a\tb\tsame", "a\tc\tdifferent"]) == [Pair("a", "b", True), Pair("a", "c", False)]


@pytest.mark.parametrize("lines", [["a\tb"], ["a\tb\tperhaps"], ["a\tb\tsame"]])
def test_a_file_that_proves_nothing_is_refused(lines: list[str]) -> None:
    with pytest.raises(CommandError, match=r"line 1|both kinds"):
        read_pairs(lines)


def test_each_threshold_is_judged_by_what_it_finds_and_confuses() -> None:
    pairs = [Pair("a", "b", True), Pair("c", "d", True), Pair("e", "f", False), Pair("g", "h", False)]
    judged = {each.threshold: each for each in judge(pairs, [0.99, 0.91, 0.91, 0.10])}
    assert (judged[0.90].hit_ratio, judged[0.90].wrong_ratio) == (1.0, 0.5)
    assert (judged[0.95].hit_ratio, judged[0.95].wrong_ratio) == (0.5, 0.0)


def test_the_advice_is_the_threshold_that_finds_most_without_confusing() -> None:
    judged = [
        Judged(threshold=0.90, hit_ratio=0.9, wrong_ratio=0.2),
        Judged(threshold=0.95, hit_ratio=0.6, wrong_ratio=0.0),
        Judged(threshold=0.99, hit_ratio=0.1, wrong_ratio=0.0),
    ]
    assert "semantic_threshold = 0.95" in advice(judged, "minilm")


def test_where_nothing_is_safe_it_says_so() -> None:
    assert "leave" in advice([Judged(threshold=0.99, hit_ratio=0.5, wrong_ratio=0.1)], "minilm")

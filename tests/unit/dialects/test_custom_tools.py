"""The text for a custom tool, read out of the JSON that the model writes."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.dialects.custom_tools import InputReader, arguments_of, input_of


def read_in_pieces(arguments: str, cuts: list[int]) -> str:
    places = sorted({0, *(cut % (len(arguments) + 1) for cut in cuts), len(arguments)})
    reader = InputReader()
    pieces = [arguments[start:end] for start, end in itertools.pairwise(places)]
    return "".join(map(reader.add, pieces)) + reader.end()


@given(text=st.text(), is_ascii=st.booleans(), cuts=st.lists(st.integers(0, 10_000), max_size=8))
def test_any_text_is_read_however_it_is_cut(text: str, is_ascii: bool, cuts: list[int]) -> None:
    assert read_in_pieces(json.dumps({"input": text}, ensure_ascii=is_ascii), cuts) == text


@given(text=st.text())
def test_a_text_that_goes_in_comes_out(text: str) -> None:
    assert input_of(arguments_of(text)) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (' { "input" :\n"a" } ', "a"),
        ('{"input": "two\nlines"}', "two\nlines"),
        ('{"input": "cut off', "cut off"),
        ('{"input": "cut off\\', "cut off"),
        ('{"input": "\\ud83d\\ude00"}', "😀"),
        ('{"input": "\\ud83d alone"}', "\ufffd alone"),
        ('{"input": ""}', ""),
        ("", ""),
        ("ls -l", "ls -l"),
        ('{"cmd": "ls"}', '{"cmd": "ls"}'),
    ],
)
def test_what_models_write_is_read_as_they_mean_it(arguments: str, text: str) -> None:
    assert input_of(arguments) == text
    assert read_in_pieces(arguments, list(range(len(arguments)))) == text

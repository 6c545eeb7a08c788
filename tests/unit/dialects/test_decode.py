"""Errors of decoding name the field as OpenAI does."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.dialects.decode import MAX_DEPTH, decode_json, depth_of
from appliance.errors import InvalidRequest


class Item(msgspec.Struct):
    kind: str


class Part(msgspec.Struct):
    size: Annotated[Literal["small", "large"], msgspec.Meta(description="how large")]


class Body(msgspec.Struct):
    items: list[Item]
    numbers: dict[int, float] = {}
    colour: Literal["red", "blue"] | None = None
    parts: list[Part] = []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{}", "items"),
        (b'{"items": [{}]}', "items[0].kind"),
        (b'{"items": [{"kind": "a"}, {"kind": 1}]}', "items[1].kind"),
        (b'{"items": [], "numbers": {"a": 1}}', "numbers"),
        (b"[]", None),
        (b"", None),
    ],
)
def test_the_field_at_fault_is_named(body: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_json(body, Body)
    assert caught.value.param == param
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"items": [], "colour": "green"}', "'colour': 'green' is not one of blue, red"),
        (b'{"items": [], "parts": [{"size": "huge"}]}', "'parts[0].size': 'huge' is not one of large, small"),
    ],
)
def test_who_chose_what_there_is_not_is_told_what_there_is(body: bytes, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_json(body, Body)
    assert str(caught.value) == f"invalid value for {words}"


def test_unknown_fields_are_ignored() -> None:
    assert decode_json(b'{"items": [], "later": {"x": 1}}', Body) == Body(items=[])


@pytest.mark.parametrize("number", ["18446744073709551616", "-9223372036854775809", "1" * 4000, "1" * 5000])
def test_an_integer_that_no_worker_could_be_sent_is_refused(number: str) -> None:
    with pytest.raises(InvalidRequest, match=r"64 bits|out of range"):
        decode_json(f'{{"schema": {{"maximum": {number}}}}}'.encode(), dict[str, Any])


@pytest.mark.parametrize(
    "value", ["18446744073709551615", "-9223372036854775808", "0.12345678901234567890123", '"123456789012345678901234"']
)
def test_other_long_numbers_are_read(value: str) -> None:
    assert decode_json(f'{{"x": [{value}]}}'.encode(), dict[str, Any])


def nested(num_levels: int) -> Any:
    value: Any = 'a bracket ] in a \\" text }'
    for level in range(num_levels):
        value = [value, "]]"] if level % 2 else {'{"': value}
    return value


@pytest.mark.parametrize("num_levels", [0, 1, MAX_DEPTH - 1, MAX_DEPTH])
def test_what_is_nested_as_deeply_as_it_may_be_is_read(num_levels: int) -> None:
    value = nested(num_levels)
    assert decode_json(msgspec.json.encode([value] if num_levels < MAX_DEPTH else value), object)


@pytest.mark.parametrize("num_levels", [MAX_DEPTH + 1, 500, 900])
def test_what_is_nested_deeper_is_refused(num_levels: int) -> None:
    with pytest.raises(InvalidRequest, match="too deep"):
        decode_json(msgspec.json.encode(nested(num_levels)), object)


def test_many_brackets_side_by_side_are_not_deep() -> None:
    value = [nested(3)] * 1000
    assert decode_json(msgspec.json.encode(value), object) == value


@given(
    st.recursive(st.text('[]{}"\\\\a\n'), lambda inner: st.lists(inner) | st.dictionaries(st.text('[{"\\\\'), inner))
)
def test_levels_are_counted_as_a_naive_count_has_them(value: Any) -> None:
    def naive(value: Any) -> int:
        if not isinstance(value, list | dict):
            return 0
        return 1 + max(map(naive, value.values() if isinstance(value, dict) else value), default=0)

    assert depth_of(msgspec.json.encode(value)) == naive(value)

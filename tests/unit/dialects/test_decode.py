"""Errors of decoding name the field as OpenAI does."""

import msgspec
import pytest

from appliance.dialects.decode import decode_json
from appliance.errors import InvalidRequest


class Item(msgspec.Struct):
    kind: str


class Body(msgspec.Struct):
    items: list[Item]
    numbers: dict[int, float] = {}


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


def test_unknown_fields_are_ignored() -> None:
    assert decode_json(b'{"items": [], "later": {"x": 1}}', Body) == Body(items=[])

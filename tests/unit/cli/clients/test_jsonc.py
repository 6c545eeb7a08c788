"""JSON with comments: members are set, and all else stays as it was typed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cli.clients.entry import CannotMerge, with_value
from appliance.cli.clients.jsonc import JsonMembers

TYPED = """\
// Mine.
{
    "theme": "dark", /* at night */
    "env": {
        // "OLD": "1",
        "A": "1",
    },
    "note": "a // b, /* c */ }",
}
"""


def merged(text: str, *members: tuple[tuple[str, ...], Any]) -> str:
    return JsonMembers(members).merge(text)


def test_members_are_added_and_changed_between_the_comments() -> None:
    assert (
        merged(TYPED, (("env", "A"), "2"), (("env", "B"), "3"), (("more", "deep"), [1]))
        == """\
// Mine.
{
    "theme": "dark", /* at night */
    "env": {
        // "OLD": "1",
        "A": "2",
        "B": "3"
    },
    "note": "a // b, /* c */ }",
    "more": {
      "deep": [
        1
      ]
    }
}
"""
    )


def test_a_remark_stays_with_what_it_is_about() -> None:
    after = merged('{\n  "a": 1 // one\n  // below\n}', (("b",), 2))
    assert after == '{\n  "a": 1, // one\n  "b": 2\n  // below\n}'
    assert merged('{"a": 1 /* one */}', (("b",), 2)) == '{"a": 1, /* one */\n  "b": 2\n}'


@pytest.mark.parametrize(
    "text", ["", " \n", "{}", "{ }", "{\n}\n", "// only this\n{}", '{"a": {}}', '{"a":1,"b":[]}', "\ufeff{}"]
)
def test_a_value_finds_its_place_in_every_object(text: str) -> None:
    after = merged(text, (("x", "y"), True))
    assert json.loads(after.removeprefix("\ufeff").replace("// only this\n", ""))["x"] == {"y": True}
    assert merged(after, (("x", "y"), True)) == after, "and is set once"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": }', "not JSON in line 1"),
        ('{\n"a": 1\n"b": 2}', "not JSON in line 3"),
        ("{", "not JSON"),
        ("{} {}", "not JSON"),
        ('{"a": "x\ny"}', "not JSON"),
        ("[1]", "something else than an object"),
        ('{"x": 1}', "something else than an object"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(CannotMerge, match=reason):
        merged(text, (("x", "y"), True))


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from("abc"), TREES, max_size=3), TREES, st.sampled_from([None, 1, 4]))
def test_the_result_is_what_setting_it_in_the_tree_gives(tree: dict[str, Any], value: Any, indent: int | None) -> None:
    path = ("d", "e")
    after = json.loads(merged(json.dumps(tree, indent=indent, ensure_ascii=False), (path, value)))
    assert after == with_value(tree, path, value)

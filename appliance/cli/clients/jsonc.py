"""JSON with comments, as editors write it: members are set in the text, and all else stays as it was typed.

Source: the format is that of VS Code's and Zed's settings: RFC 8259, with `//` and `/* */` and commas before a bracket.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from appliance.words import tr

from .entry import CannotMerge, with_value

_BLANK = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_REMARK = re.compile(r"(?:[ \t]*(?://[^\n]*|/\*[^\n]*?\*/))*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_PLAIN = re.compile(r"true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class JsonMembers:
    """Values at their paths in an object."""

    members: tuple[tuple[tuple[str, ...], Any], ...]

    def merge(self, text: str) -> str:
        """Return the text with the members set. Raises: CannotMerge."""
        text = text if text.strip() else "{}\n"
        expected = _parse(text).value
        for path, value in self.members:
            expected = with_value(expected, path, value)
            text = _set(text, path, value)
        if _parse(text).value != expected:
            raise CannotMerge(tr("its members could not be set without changing others"))
        return text


@dataclass(slots=True)
class _Node:
    """A value and where it stands: [start, end). `members_end` is where an object's last member or its comma ends."""

    start: int
    end: int = 0
    value: Any = None
    members: dict[str, "_Node"] = field(default_factory=dict)
    members_end: int = 0
    has_last_comma: bool = False


def _parse(text: str) -> _Node:
    start = len(_BYTE_ORDER_MARK) if text.startswith(_BYTE_ORDER_MARK) else 0
    try:
        root = _value(text, _skip(text, start))
    except RecursionError as error:
        raise CannotMerge(tr("it is nested too deeply")) from error
    if _skip(text, root.end) != len(text):
        raise _wrong(text, root.end)
    return root


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _wrong(text: str, at: int) -> CannotMerge:
    return CannotMerge(tr("it is not JSON in line {number}", number=text.count("\n", 0, at) + 1))


def _value(text: str, at: int) -> _Node:
    opening = text[at : at + 1]
    if opening in ("{", "["):
        return _object(text, at) if opening == "{" else _array(text, at)
    if not (found := _STRING.match(text, at) or _PLAIN.match(text, at)):
        raise _wrong(text, at)
    try:
        return _Node(at, found.end(), json.loads(found[0]))
    except ValueError as error:
        raise _wrong(text, at) from error


def _object(text: str, start: int) -> _Node:
    node = _Node(start, value={}, members_end=start + 1)
    at = _skip(text, start + 1)
    while text[at : at + 1] != "}":
        if not (name := _STRING.match(text, at)):
            raise _wrong(text, at)
        at = _skip(text, name.end())
        if text[at : at + 1] != ":":
            raise _wrong(text, at)
        member = _value(text, _skip(text, at + 1))
        key = json.loads(name[0])
        node.members[key], node.value[key] = member, member.value
        at, node.members_end, node.has_last_comma = _next(text, member.end, "}")
    node.end = at + 1
    return node


def _array(text: str, start: int) -> _Node:
    node = _Node(start, value=[])
    at = _skip(text, start + 1)
    while text[at : at + 1] != "]":
        item = _value(text, at)
        node.value.append(item.value)
        at, _, _ = _next(text, item.end, "]")
    node.end = at + 1
    return node


def _next(text: str, end: int, closing: str) -> tuple[int, int, bool]:
    """Return where the next member or the bracket is, where this one ends, and whether a comma follows it."""
    at = _skip(text, end)
    if text[at : at + 1] == ",":
        return _skip(text, at + 1), at + 1, True
    if text[at : at + 1] != closing:
        raise _wrong(text, at)
    return at, end, False


def _set(text: str, path: tuple[str, ...], value: Any) -> str:
    node = _parse(text)
    for depth, key in enumerate(path):
        if not isinstance(node.value, dict):
            raise CannotMerge(tr("there is something else than an object where {key!r} belongs", key=key))
        if key not in node.members:
            missing = value
            for name in reversed(path[depth + 1 :]):
                missing = {name: missing}
            return _insert(text, node, key, missing)
        node = node.members[key]
    return text[: node.start] + _written(value, _margin(text, node.start)) + text[node.end :]


def _insert(text: str, node: _Node, key: str, value: Any) -> str:
    outer = _margin(text, node.start)
    margin = outer + "  "
    if node.members:
        first = next(iter(node.members.values()))
        margin = _margin(text, first.start) if "\n" in text[node.start : first.start] else margin
    member = f"\n{margin}{json.dumps(key, ensure_ascii=False)}: {_written(value, margin)}"
    comma = "," if node.members and not node.has_last_comma else ""
    remark = _REMARK.match(text, node.members_end)
    at = remark.end() if remark else node.members_end  # what is remarked on the last member stays with it
    end = "" if "\n" in text[at : node.end] else f"\n{outer}"
    return f"{text[: node.members_end]}{comma}{text[node.members_end : at]}{member}{end}{text[at:]}"


def _margin(text: str, at: int) -> str:
    """Return the blanks that the line of `at` begins with."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip())]


def _written(value: Any, margin: str) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False).replace("\n", f"\n{margin}")

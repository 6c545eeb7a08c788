"""The settings file as text: one value is set or taken out, and every other byte stays as its writer left it.

A library that rewrites TOML would put a new value at the end of its section; here it comes below the commented default
that explains it. What the edit did is proved by reading the result: what is not a plain `key = value` is refused.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

Lines = list[str]
_SECTION = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]\s*(#.*)?")
_ANY_HEADER = re.compile(r"\s*\[.*")


class NotPlain(ValueError):
    """The value is written in a way that is not edited by a program. The message says what was looked for."""


def with_value(text: str, key: str, value: object) -> str:
    """Return the text with `section.name = value`. Raises: NotPlain; ValueError, where the text is no TOML."""
    section, _, name = key.partition(".")
    lines = text.splitlines(keepends=True)
    place = _find(lines, section, name)
    line = f"{name} = {to_toml(value)}"
    if place is not None:
        first, past = place
        lines[first:past] = [f"{line}{_comment(lines[first:past])}\n"]
    else:
        _insert(lines, section, name, f"{line}\n")
    return _proved("".join(lines), text, section, name, value)


def without_value(text: str, key: str) -> str:
    """Return the text without the key, so that its default counts. Raises as `with_value`."""
    section, _, name = key.partition(".")
    lines = text.splitlines(keepends=True)
    place = _find(lines, section, name)
    if place is not None:
        del lines[slice(*place)]
    return _proved("".join(lines), text, section, name, None)


def to_toml(value: object) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(to_toml, value))}]"
    if isinstance(value, dict):
        inside = ", ".join(f"{to_toml(name)} = {to_toml(one)}" for name, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    return repr(value)


def _find(lines: Lines, section: str, name: str) -> tuple[int, int] | None:
    """Return the lines `[first, past)` of a key, None where it has none."""
    written = re.compile(rf"\s*(?:{name}|\"{name}\"|'{name}')\s*=")
    for first, past in _parts(lines, section):
        for number in range(first, past):
            if written.match(lines[number]):
                return number, _end(lines, number, past, section, name)
    return None


def _end(lines: Lines, first: int, past: int, section: str, name: str) -> int:
    """Return where a value ends that may go on over several lines."""
    for end in range(first + 1, past + 1):
        try:
            tomllib.loads("".join(lines[first:end]))
        except tomllib.TOMLDecodeError:
            continue
        return end
    raise NotPlain(f"{name} in [{section}] is not a plain value")


def _parts(lines: Lines, section: str) -> Iterator[tuple[int, int]]:
    """Yield the lines `[first, past)` below each header of a section."""
    first = None
    for number, line in enumerate(lines):
        if _ANY_HEADER.fullmatch(line.rstrip("\r\n")):
            if first is not None:
                yield first, number
            header = _SECTION.fullmatch(line.rstrip("\r\n"))
            first = number + 1 if header and header[1] == section else None
    if first is not None:
        yield first, len(lines)


def _insert(lines: Lines, section: str, name: str, line: str) -> None:
    """Put a line below the comment that shows its default, else at the end of its section, which is made if need be."""
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    part = next(_parts(lines, section), None)
    if part is None:
        lines += ["\n"] * bool(lines) + [f"[{section}]\n", line]
        return
    first, past = part
    shown = re.compile(rf"\s*#\s*{name}\s*=.*")
    for number in range(first, past):
        if shown.fullmatch(lines[number].rstrip("\r\n")):
            lines.insert(number + 1, line)
            return
    while past > first and not lines[past - 1].strip():
        past -= 1
    lines.insert(past, line)


def _comment(lines: Lines) -> str:
    """Return the comment behind a value of one line, with the space before it."""
    line = lines[0].rstrip("\r\n")
    if len(lines) > 1 or "#" not in line:
        return ""
    whole = tomllib.loads(line)
    for found in re.finditer(r"\s*#", line):
        try:
            if tomllib.loads(line[: found.start()]) == whole:
                return line[found.start() :]
        except tomllib.TOMLDecodeError:
            continue
    return ""


def _proved(after: str, before: str, section: str, name: str, value: object) -> str:
    """Return the new text if it says what it should, and nothing else has changed. Raises: NotPlain."""
    expected: dict[str, Any] = tomllib.loads(before)
    group = expected.setdefault(section, {})
    if not isinstance(group, dict):
        raise NotPlain(f"{section} is a section; write its keys below a line [{section}]")
    if value is None:
        group.pop(name, None)
    else:
        group[name] = list(value) if isinstance(value, tuple) else value
    try:
        is_right = _filled(tomllib.loads(after)) == _filled(expected)
    except tomllib.TOMLDecodeError:
        is_right = False
    if not is_right:
        raise NotPlain(f"{name} in [{section}] is written in a way that only an editor should change")
    return after


def _filled(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the tree without its empty sections."""
    return {name: group for name, group in tree.items() if group != {}}

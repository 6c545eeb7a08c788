"""The smallest parts of GBNF: its words, and the characters that a text or a set stands for. Pure."""

import json
import re
from typing import NamedTuple

_WORDS = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<name>[A-Za-z0-9_-]+)
      | (?P<define>::=)
      | (?P<text>"(?:[^"\\\n]|\\.)*")
      | (?P<set>\[(?:[^\]\\\n]|\\.)*\])
      | (?P<special><\[\d+\]>|<[^<>\s\[\]]+>)
      | (?P<count>\{\s*\d+\s*(?:,\s*\d*\s*)?\})
      | (?P<sign>[()|*+?.])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))|(.)", re.DOTALL)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}


class BadGbnf(Exception):
    """A text that is no GBNF; says in which line and why."""


class Word(NamedTuple):
    """A piece of a grammar, and where it stands."""

    kind: str
    text: str
    line: int


def words(text: str) -> list[Word]:
    """Return the words of a grammar without spaces and remarks, and one more at its end. Raises: BadGbnf."""
    found: list[Word] = []
    place, line = 0, 1
    while place < len(text):
        match = _WORDS.match(text, place)
        if match is None:
            raise BadGbnf(f"line {line}: cannot read {text[place : place + 20]!r}")
        if match.lastgroup != "space":
            found.append(Word(match.lastgroup or "", match[0], line))
        line += match[0].count("\n")
        place = match.end()
    return [*found, Word("end", "the end", line)]


def _characters(escaped: str, line: int) -> list[tuple[str, bool]]:
    """Return the characters of a text or set, and of each whether it was escaped."""
    characters = []
    for short, long, longest, named, plain in _ESCAPE.findall(escaped):
        code = int(short or long or longest or "0", 16)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise BadGbnf(f"line {line}: {code:#x} is no character")
        if short or long or longest:
            characters.append((chr(code), True))
        elif named:
            characters.append((_CONTROLS.get(named, named), True))
        else:
            characters.append((plain, False))
    return characters


def literal(escaped: str, line: int) -> str:
    """Return a text as Lark writes it. Raises: BadGbnf."""
    return json.dumps("".join(character for character, _ in _characters(escaped, line)), ensure_ascii=False)


def character_set(escaped: str, line: int) -> str:
    """Return a set of characters as a regular expression in which each of them is a number. Raises: BadGbnf."""
    characters = _characters(escaped, line)
    is_negated = characters[:1] == [("^", False)]
    members = characters[is_negated:]
    if not members:
        raise BadGbnf(f"line {line}: the set [{escaped}] is empty")
    last = len(members) - 1
    written = [
        "-" if member == ("-", False) and 0 < place < last else rf"\x{{{ord(member[0]):x}}}"
        for place, member in enumerate(members)
    ]
    return f"/[{'^' if is_negated else ''}{''.join(written)}]/"

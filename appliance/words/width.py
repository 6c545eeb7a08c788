"""How wide a text is in a terminal, and how it is broken into lines: Chinese has no blanks, and wide characters."""

import re
import textwrap
import unicodedata
from collections.abc import Iterator

_BLANKS = re.compile(r"[ \t\n]+")
_NOT_FIRST = frozenset("，。；：、！？）》”’」』…")
"""Chinese marks that never begin a line; one of them may hang past the edge."""


def width_of(text: str) -> int:
    """Return the columns that a text takes. Source: Unicode Standard Annex 11, East Asian Width."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else not unicodedata.combining(each) for each in text)


def ljust(text: str, width: int) -> str:
    """Return a text with blanks after it, `width` columns wide."""
    return text + " " * (width - width_of(text))


def rjust(text: str, width: int) -> str:
    """Return a text with blanks before it, `width` columns wide."""
    return " " * (width - width_of(text)) + text


def fill(
    text: str, width: int, *, initial_indent: str = "", subsequent_indent: str = "", keeps_words: bool = False
) -> str:
    """Return a text in lines of at most `width` columns, as `textwrap.fill` does for what has no wide characters.

    With `keeps_words` no word is broken, neither at a hyphen nor where it is longer than a line.
    """
    if width_of(initial_indent + text) == len(initial_indent + text):
        return textwrap.fill(
            text,
            width,
            initial_indent=initial_indent,
            subsequent_indent=subsequent_indent,
            break_long_words=not keeps_words,
            break_on_hyphens=not keeps_words,
        )
    lines, line, used = [], initial_indent, width_of(initial_indent)
    for piece in _pieces(_BLANKS.sub(" ", text.strip())):
        if used + width_of(piece.rstrip()) > width and piece[0] not in _NOT_FIRST:
            lines.append(line.rstrip())
            line, used = subsequent_indent, width_of(subsequent_indent)
            piece = piece.lstrip()
        line, used = line + piece, used + width_of(piece)
    return "\n".join([*lines, line.rstrip()])


def _pieces(text: str) -> Iterator[str]:
    """Yield what may stand in another line than what follows: a wide character, or a word with the blank after it."""
    word = ""
    for character in text:
        if unicodedata.east_asian_width(character) in "WF":
            if word:
                yield word
            yield character
            word = ""
        else:
            word += character
            if character == " ":
                yield word
                word = ""
    if word:
        yield word

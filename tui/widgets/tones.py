"""Colours by their meaning, so that a theme may choose them: what stands in a cell or a line is text with tones."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from rich.style import Style
from rich.text import Text
from textual.color import Color, ColorParseError

Tone = Literal["", "bold", "muted", "primary", "secondary", "accent", "success", "warning", "error"]
"""The empty one is the usual colour of text."""

Toned: TypeAlias = str | tuple[tuple[str, Tone], ...]
"""A text in the usual colour, or parts of one, each in its own."""

_CONTROLS = {code: None for code in (*range(32), 127, *range(128, 160)) if chr(code) not in "\n\t"}


def toned(text: str, tone: Tone) -> Toned:
    """Return a text in one tone."""
    return ((text, tone),)


def plain(text: Toned) -> str:
    """Return the text without its tones."""
    return text if isinstance(text, str) else "".join(part for part, _ in text)


def printable(text: Toned) -> Toned:
    """Return a text in one line without control characters: what a box says must not move the terminal's cursor."""
    if isinstance(text, str):
        return text if text.isprintable() else _in_line(text)
    return text if all(part.isprintable() for part, _ in text) else tuple((_in_line(part), tone) for part, tone in text)


def to_text(text: Toned, variables: Mapping[str, str]) -> Text:
    """Return it in the colours of a theme, whose `variables` Textual gives (`App.theme_variables`)."""
    if isinstance(text, str):
        return Text(text.translate(_CONTROLS))
    return Text.assemble(*((part.translate(_CONTROLS), to_style(tone, variables)) for part, tone in text))


def _in_line(part: str) -> str:
    return part.replace("\n", " ").translate(_CONTROLS)


def to_style(tone: Tone, variables: Mapping[str, str]) -> Style:
    """Return the style of a tone in a theme."""
    if tone == "":
        return Style()
    if tone == "bold":
        return Style(bold=True)
    if tone == "muted":
        return Style(dim=True)
    try:
        return Style(color=Color.parse(variables[tone]).rich_color)
    except (KeyError, ColorParseError):
        return Style()  # a theme of the terminal's own colours names some that only the terminal knows

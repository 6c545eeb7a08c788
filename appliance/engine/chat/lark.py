"""Writes grammars as llguidance's Lark, where control tokens stand by their ids and all else as text. Pure.

Source: llguidance, "Grammar syntax" (special tokens, lazy lexemes, %json).
"""

import json
import re
from collections.abc import Mapping
from typing import Any

TEXT = "TEXT"
_TEXT_RULE = r"TEXT: /(?s:.*)/"

SPELLING = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""One spelling of JSON, the one that models write by themselves: what is certain is then forced and not sampled."""


class Lark:
    """A grammar that grows rule by rule. `control` are the control tokens that markers consist of."""

    def __init__(self, control: Mapping[str, int]) -> None:
        self._control = control
        self._rules: dict[str, str] = {}
        self._splits = re.compile("|".join(map(re.escape, sorted(control, key=len, reverse=True)))) if control else None

    def rule(self, body: str, *, option: str = "") -> str:
        """Add a rule and return its name; the same one for the same body."""
        key = option + body
        name = self._rules.get(key)
        if name is None:
            name = self._rules[key] = f"r{len(self._rules)}"
        return name

    def literal(self, text: str) -> str:
        """Return what matches exactly this text, empty for none."""
        if self._splits is None:
            return _quoted(text)
        parts, end = list[str](), 0
        for found in self._splits.finditer(text):
            parts += [_quoted(text[end : found.start()]), f"<[{self._control[found[0]]}]>"]
            end = found.end()
        return " ".join(part for part in (*parts, _quoted(text[end:])) if part)

    def until(self, text: str) -> str:
        """Return what matches anything up to the text and the text itself, at its first occurrence."""
        literal = self.literal(text)
        if literal.startswith("<["):
            return f"{TEXT} {literal}"
        head, _, tail = literal.partition(" <[")
        lazy = self.rule(f"{TEXT} {head}", option="[lazy]")
        return f"{lazy} <[{tail}" if tail else lazy

    def json(self, schema: Mapping[str, Any]) -> str:
        """Return what matches JSON of this schema."""
        return self.rule(f"%json {json.dumps({**schema, 'x-guidance': SPELLING}, ensure_ascii=False)}")

    def source(self, start: str) -> str:
        """Return the grammar of `start`."""
        lines = [f"start: {start}", _TEXT_RULE]
        for key, name in self._rules.items():
            option = "[lazy]" if key.startswith("[lazy]") else ""
            lines.append(f"{name}{option}: {key.removeprefix(option)}")
        return "\n".join(lines) + "\n"


def either(*options: str) -> str:
    """Return what matches one of the options."""
    return f"({' | '.join(options)})" if len(options) > 1 else options[0]


def joined(*parts: str) -> str:
    """Return what matches the parts one after the other."""
    return " ".join(part for part in parts if part)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if text else ""

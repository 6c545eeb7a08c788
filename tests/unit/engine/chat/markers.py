"""A vocabulary of bytes in which a family's markers are control tokens, as they are in the real ones."""

import re

import numpy as np

from appliance.backends.base import TokenArray
from appliance.backends.echo_tokenizer import EchoTokenizer
from appliance.engine.chat.syntax import Family


class MarkerTokenizer(EchoTokenizer):
    """Echo's bytes, and behind them the markers."""

    def __init__(self, markers: list[str], template: str | None = None) -> None:
        first = 262
        super().__init__(first + len(markers))
        self.chat_template = template
        self._names = dict(enumerate(markers, first))
        self._ids = {text: token for token, text in self._names.items()}
        pattern = "|".join(map(re.escape, sorted(markers, key=len, reverse=True)))
        self._pattern = re.compile(f"({pattern})") if markers else None

    def special_text(self, token: int) -> str:
        return self._names.get(token) or super().special_text(token)

    def token_bytes(self, token: int) -> bytes:
        return b"" if token in self._names else super().token_bytes(token)

    def encode(self, text: str, *, parse_special: bool, add_bos: bool) -> TokenArray:
        if not parse_special or self._pattern is None:
            return super().encode(text, parse_special=parse_special, add_bos=add_bos)
        parts = [
            np.array([self._ids[part]], np.int32)
            if part in self._ids
            else super(MarkerTokenizer, self).encode(part, parse_special=True, add_bos=False)
            for part in self._pattern.split(text)
        ]
        return np.concatenate(parts)


def markers_of(family: Family) -> list[str]:
    """Return the markers that are control tokens where the family's are: those without spaces or quotes of code."""
    thinking = () if family.thinking is None else (family.thinking.open, family.thinking.close)
    calls = [text for calls in family.calls for text in (calls.open, calls.close) if text]
    markers = dict.fromkeys([*family.markers, *thinking, *calls])
    return [
        text for text in markers if re.fullmatch(r"[<\[]\S+[>\]]", text) and "thought" not in text and "><" not in text
    ]

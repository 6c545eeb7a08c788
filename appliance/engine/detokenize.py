"""Tokens to text while they come: a character is given out once all of its bytes are there."""

import codecs
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol


class TokenBytes(Protocol):
    """The part of a tokenizer that is needed here."""

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes that a token stands for; none for a control token."""


class Detokenizer:
    """The text of one sequence. Bytes that cannot be part of UTF-8 become U+FFFD as soon as that is certain.

    `shown` are control tokens that whoever reads the text has to see, with their names.
    """

    def __init__(self, tokenizer: TokenBytes, shown: Mapping[int, bytes] = MappingProxyType({})) -> None:
        self._token_bytes = tokenizer.token_bytes
        self._shown = shown
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token: int) -> str:
        """Return the text that the token completes; empty inside a character and for control tokens not shown."""
        return self._decoder.decode(self._token_bytes(token) or self._shown.get(token, b""))

    def flush(self) -> str:
        """Return what is left at the end of the sequence: U+FFFD for a character that was never finished."""
        return self._decoder.decode(b"", final=True)

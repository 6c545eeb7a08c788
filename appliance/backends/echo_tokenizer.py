"""The tokenizer of the echo backend: a token is a byte, and a few more are ChatML's special tokens."""

import re

import numpy as np

from appliance.backends.base import FimIds, TokenArray
from appliance.backends.echo_description import MIN_VOCAB_SIZE
from appliance.backends.echo_templates import CHAT_TEMPLATES, EchoChat

ENDOFTEXT, IM_START, IM_END, FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE = range(256, 262)
NEWLINE = ord("\n")

_SPECIAL_TEXT = {
    ENDOFTEXT: "<|endoftext|>",
    IM_START: "<|im_start|>",
    IM_END: "<|im_end|>",
    FIM_PREFIX: "<|fim_prefix|>",
    FIM_SUFFIX: "<|fim_suffix|>",
    FIM_MIDDLE: "<|fim_middle|>",
}
_TOKEN_OF_TEXT = {text: token for token, text in _SPECIAL_TEXT.items()}
_SPECIAL = re.compile("(" + "|".join(map(re.escape, _TOKEN_OF_TEXT)) + ")")


class EchoTokenizer:
    """Bytes as tokens. Tokens past the special ones only fill a larger vocabulary and never come out of `encode`."""

    def __init__(self, vocab_size: int, chat: EchoChat = "plain") -> None:
        self.vocab_size = vocab_size
        self.eos_ids = frozenset({ENDOFTEXT, IM_END})
        self.bos_id: int | None = None
        self.fim_ids: FimIds | None = FimIds(prefix=FIM_PREFIX, suffix=FIM_SUFFIX, middle=FIM_MIDDLE)
        self.chat_template: str | None = CHAT_TEMPLATES[chat]

    def special_text(self, token: int) -> str:
        """Return how a special token is written in a template; nothing for any other."""
        return _SPECIAL_TEXT.get(token, "")

    def encode(self, text: str, *, parse_special: bool, add_bos: bool) -> TokenArray:
        """Return the UTF-8 bytes of the text as tokens, special tokens recognized only if `parse_special`."""
        if not parse_special:
            return np.frombuffer(text.encode(), np.uint8).astype(np.int32)
        tokens: list[int] = []
        for part in _SPECIAL.split(text):
            special = _TOKEN_OF_TEXT.get(part)
            tokens.extend(part.encode() if special is None else [special])
        return np.array(tokens, np.int32)

    def token_bytes(self, token: int) -> bytes:
        """Return the byte of a byte token, none for a special one, and a made-up word for one that fills."""
        if token < ENDOFTEXT:
            return bytes([token])
        return b"" if token < MIN_VOCAB_SIZE else b" w%d" % token

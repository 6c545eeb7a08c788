"""A vocabulary as grammars see it: the bytes of every token, and how a text is cut into tokens.

Made of the seam's `Tokenizer` alone, so a grammar means the same on every backend.
"""

from functools import cached_property

from llguidance import LLTokenizer, TokenizerWrapper

from appliance.backends.base import Tokenizer


def make_grammar_vocabulary(tokenizer: Tokenizer) -> LLTokenizer:
    """Return what masks are computed with. Takes 0.4 s for 150,000 tokens, so it is made once and off the step thread.

    It is as wide as the vocabulary; what pads a row of logits past it is never allowed. Special tokens are no text:
    only a grammar that names them lets one through, but for those that end the answer.
    """
    return LLTokenizer(TokenizerWrapper(_Cutter(tokenizer)), eos_token=sorted(tokenizer.eos_ids) or None)


_NO_TEXT = b"\xff"  # a byte that no UTF-8 has; the library marks special tokens with it


class _Cutter:
    """The tokenizer in the shape that the library asks for."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.eos_token_id = min(tokenizer.eos_ids, default=None)
        self.bos_token_id = tokenizer.bos_id
        self.tokens = [tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]
        self.special_token_ids = []
        for token, spelled in enumerate(self.tokens):
            if spelled.startswith(_NO_TEXT):
                self.tokens[token] = b""
            elif not spelled and (name := tokenizer.special_text(token)):
                self.tokens[token] = name.encode()
                self.special_token_ids.append(token)

    def __call__(self, text: bytes) -> list[int]:
        """Return the tokens that spell exactly this text, as the vocabulary would cut it."""
        tokens = self._tokenizer.encode(text.decode(), parse_special=False, add_bos=False).tolist()
        # Some vocabularies begin every text with a space, which in the middle of an answer would be one too many.
        return tokens if b"".join(map(self._tokenizer.token_bytes, tokens)) == text else self._cut_greedily(text)

    def _cut_greedily(self, text: bytes) -> list[int]:
        tokens: list[int] = []
        start = 0
        while start < len(text):
            ends = range(min(start + self._longest_bytes, len(text)), start, -1)
            end = next((end for end in ends if text[start:end] in self._token_of), None)
            if end is None:
                return tokens  # nothing spells the rest: the library then forces no more than this
            tokens.append(self._token_of[text[start:end]])
            start = end
        return tokens

    @cached_property
    def _token_of(self) -> dict[bytes, int]:
        special = frozenset(self.special_token_ids)
        return {spelled: token for token, spelled in enumerate(self.tokens) if spelled and token not in special}

    @cached_property
    def _longest_bytes(self) -> int:
        return max(map(len, self._token_of))

"""The vocabulary of a GGUF file as a tokenizer, opened without the weights."""

import ctypes
import weakref
from typing import Any

import numpy as np

from appliance.backends.base import FimIds, TokenArray
from appliance.backends.llama_cpp import library
from appliance.backends.llama_cpp.library import native
from appliance.errors import BackendError

_INT32 = ctypes.POINTER(ctypes.c_int32)


class LlamaCppTokenizer:
    """libllama's vocabulary of the file at `path`. Raises: BackendError, if it cannot be read."""

    def __init__(self, path: str) -> None:
        model = library.load_vocabulary(path)
        weakref.finalize(self, native.llama_model_free, model)
        self._vocab = vocab = native.llama_model_get_vocab(model)
        self.vocab_size: int = native.llama_vocab_n_tokens(vocab)
        self.eos_ids = frozenset(token for token in range(self.vocab_size) if native.llama_vocab_is_eog(vocab, token))
        self.bos_id = _known(native.llama_vocab_bos(vocab))
        self.fim_ids = _fim_ids(vocab)
        template = native.llama_model_chat_template(model, None)
        self.chat_template: str | None = template.decode(errors="replace") if template else None
        self._adds_bos = bool(native.llama_vocab_get_add_bos(vocab))
        self._bytes: list[bytes | None] = [None] * self.vocab_size

    def special_text(self, token: int) -> str:
        """Return how a special token is written in a template."""
        return self._piece(token, is_special_shown=True).decode(errors="replace")

    def encode(self, text: str, *, parse_special: bool, add_bos: bool) -> TokenArray:
        """Return the tokens of the text. Raises: BackendError, if the vocabulary cannot spell it."""
        content = text.encode()
        tokens = np.empty(len(content) + 16, np.int32)
        num_first = 0
        if add_bos and self._adds_bos and self.bos_id is not None:
            tokens[0], num_first = self.bos_id, 1
        num_tokens = self._tokenize(content, tokens[num_first:], parse_special)
        if num_tokens < 0:
            tokens = np.concatenate([tokens[:num_first], np.empty(-num_tokens, np.int32)])
            num_tokens = self._tokenize(content, tokens[num_first:], parse_special)
        if num_tokens < 0:
            raise BackendError(f"llama.cpp cannot tokenize a text of {len(content)} bytes")
        return tokens[: num_first + num_tokens].copy()

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of a token, asked of the library once."""
        known = self._bytes[token]
        if known is None:
            known = self._bytes[token] = self._piece(token, is_special_shown=False)
        return known

    def _tokenize(self, content: bytes, target: TokenArray, parse_special: bool) -> int:
        """Fill `target`; return how many tokens it took, or how many it would take as a negative number."""
        pointer = target.ctypes.data_as(_INT32)
        # The library's own add_special would also end some prompts with an end-of-text token.
        return int(
            native.llama_tokenize(self._vocab, content, len(content), pointer, len(target), False, parse_special)
        )

    def _piece(self, token: int, *, is_special_shown: bool) -> bytes:
        buffer = ctypes.create_string_buffer(256)  # its own: two threads ask, the reader's and the steps'
        length = native.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, is_special_shown)
        if length < 0:
            buffer = ctypes.create_string_buffer(-length)
            length = native.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, is_special_shown)
        return buffer.raw[:length]


def _known(token: int) -> int | None:
    return None if token < 0 else int(token)


def _fim_ids(vocab: Any) -> FimIds | None:
    prefix = _known(native.llama_vocab_fim_pre(vocab))
    suffix = _known(native.llama_vocab_fim_suf(vocab))
    middle = _known(native.llama_vocab_fim_mid(vocab))
    if prefix is None or suffix is None or middle is None:
        return None
    return FimIds(prefix=prefix, suffix=suffix, middle=middle)

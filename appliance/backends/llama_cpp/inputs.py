"""The vocabulary of a GGUF file for encoders: whole texts and pairs with the special tokens that belong around them."""

import ctypes
import re
import weakref
from collections.abc import Sequence

import numpy as np

from appliance.backends.base import EncoderInput, TokenArray
from appliance.backends.llama_cpp import library
from appliance.backends.llama_cpp.library import native
from appliance.core.request import InputRole
from appliance.errors import BackendError

_INT32 = ctypes.POINTER(ctypes.c_int32)
_RERANK_TEMPLATE = b"rerank"
_PLACES = re.compile(r"(\{query\}|\{document\})")


class LlamaCppInputs:
    """libllama's vocabulary of the file at `path`. A GGUF file has no instructions. Raises: BackendError."""

    def __init__(self, path: str) -> None:
        model = library.load_vocabulary(path)
        weakref.finalize(self, native.llama_model_free, model)
        self._vocab = vocab = native.llama_model_get_vocab(model)
        self.vocab_size: int = native.llama_vocab_n_tokens(vocab)
        template = native.llama_model_chat_template(model, _RERANK_TEMPLATE)
        self._template: str | None = template.decode(errors="replace") if template else None
        separator = native.llama_vocab_sep(vocab)
        end = native.llama_vocab_eos(vocab)
        self._before = [native.llama_vocab_bos(vocab)] if native.llama_vocab_get_add_bos(vocab) else []
        ends = [end if end >= 0 else separator] if native.llama_vocab_get_add_eos(vocab) else []
        separators = [separator] if native.llama_vocab_get_add_sep(vocab) else []
        self._between = ends + separators
        self._after = ends or separators  # BERT ends its pairs with a separator, which llama.cpp's server leaves out

    def read(self, texts: Sequence[str], role: InputRole | None) -> list[EncoderInput]:
        """Return each text with its special tokens. A special token's name in a text is text."""
        return [EncoderInput(self._tokenize(text, is_whole=True)) for text in texts]

    def read_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[EncoderInput]:
        """Return each pair in the file's own template for rerankers, or else with separators.

        Source: llama.cpp, tools/server/server-common.cpp, format_prompt_rerank.
        """
        return [EncoderInput(self._templated(*pair) if self._template else self._joined(*pair)) for pair in pairs]

    def _templated(self, first: str, second: str) -> TokenArray:
        """Fill the template in pieces, so that a text can neither name special tokens nor fill in the other."""
        assert self._template is not None
        parts: list[TokenArray] = []
        for piece in _PLACES.split(self._template):
            text = {"{query}": first, "{document}": second}.get(piece)
            parts.append(self._tokenize(piece if text is None else text, is_special=text is None))
        return np.concatenate(parts)

    def _joined(self, first: str, second: str) -> TokenArray:
        parts = [self._before, self._tokenize(first), self._between, self._tokenize(second), self._after]
        return np.concatenate([np.asarray(part, np.int32) for part in parts])

    def _tokenize(self, text: str, *, is_whole: bool = False, is_special: bool = False) -> TokenArray:
        content = text.encode()
        tokens = np.empty(len(content) + 16, np.int32)
        pointer = tokens.ctypes.data_as(_INT32)
        count = native.llama_tokenize(self._vocab, content, len(content), pointer, len(tokens), is_whole, is_special)
        if count < 0:
            raise BackendError(f"llama.cpp cannot tokenize a text of {len(content)} bytes")
        return tokens[:count].copy()

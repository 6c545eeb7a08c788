"""The tokenizer of a model folder: `tokenizer.json` through the `tokenizers` library, and what lies beside it.

A vocabulary writes its tokens in one of two ways, and its decoder says in which: byte by byte in an alphabet of
printable characters, or as text with `▁` for a space and `<0x0A>` for single bytes.
Sources: Hugging Face tokenizers, `ByteLevel`, `Metaspace`, `ByteFallback` and `AddedToken`.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from tokenizers import Tokenizer as Library

from appliance.backends.base import FimIds, TokenArray
from appliance.backends.token_spelling import spelling_of
from appliance.errors import BackendError
from models.formats.folder_config import read_chat_template, read_folder_config, read_tokenizer_config

# How the families of models that fill in the middle write the three markers.
_FIM_MARKERS = (
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    ("<|fim_begin|>", "<|fim_hole|>", "<|fim_end|>"),
    ("▁<PRE>", "▁<SUF>", "▁<MID>"),
)


class FolderTokenizer:
    """The vocabulary in `folder`. Raises: BackendError, if it cannot be read."""

    def __init__(self, folder: Path) -> None:
        path = folder / "tokenizer.json"
        try:
            content = path.read_bytes()
            self._library = _quiet(Library.from_buffer(content))
            fields = msgspec.json.decode(content, type=_Fields)
        except Exception as error:  # the library raises bare Exception
            raise BackendError(f"the tokenizer {path} cannot be read: {error}") from None
        self._content = content
        self._spell = spelling_of(fields.decoder)
        self._added = {token.id: token for token in fields.added_tokens}
        self._bytes: dict[int, bytes] = {}
        config, tokenizer_config = read_folder_config(folder), read_tokenizer_config(folder)
        # A model's table of embeddings is often padded past its vocabulary.
        self.vocab_size = max(self._library.get_vocab_size(with_added_tokens=True), config.vocab_size or 0)
        named_eos = self._named(tokenizer_config, "eos_token")
        known_eos = config.eos_ids if named_eos is None else config.eos_ids | {named_eos}
        self.eos_ids = frozenset(token for token in known_eos if token < self.vocab_size)
        self.bos_id = self._named(tokenizer_config, "bos_token") if "bos_token" in tokenizer_config else config.bos_id
        self.fim_ids = self._find_fim()
        self.chat_template = read_chat_template(folder)
        self._adds_bos = self._begins_with_bos(tokenizer_config)

    def special_text(self, token: int) -> str:
        """Return how a token is written in a template; empty for one of the padding."""
        return self._library.id_to_token(token) or ""

    def encode(self, text: str, *, parse_special: bool, add_bos: bool) -> TokenArray:
        """Return the tokens of the text."""
        library = self._library if parse_special else self._plain
        ids: list[int] = library.encode(text, add_special_tokens=False).ids
        if add_bos and self._adds_bos and self.bos_id is not None:
            ids = [self.bos_id, *ids]
        return np.array(ids, np.int32)

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of a token, worked out once."""
        known = self._bytes.get(token)
        if known is None:
            known = self._bytes[token] = self._work_out(token)
        return known

    @cached_property
    def _plain(self) -> Library:
        """The library without special tokens: a second one, since two threads encode and the switch is the object's."""
        plain = _quiet(Library.from_buffer(self._content))
        plain.encode_special_tokens = True
        return plain

    def _work_out(self, token: int) -> bytes:
        added = self._added.get(token)
        if added is not None:
            return b"" if added.special else added.content.encode()
        piece = self._library.id_to_token(token)
        return b"" if piece is None else self._spell(piece)

    def _named(self, config: dict[str, Any], field: str) -> int | None:
        """Return the token that the configuration names, as its text or as an object with the text."""
        value = config.get(field)
        text = value.get("content") if isinstance(value, dict) else value
        return self._library.token_to_id(text) if isinstance(text, str) else None

    def _begins_with_bos(self, config: dict[str, Any]) -> bool:
        """Return whether prompts begin with the token: the library's own rule, or the configuration's wish."""
        probe: list[int] = self._library.encode("a", add_special_tokens=True).ids
        return config.get("add_bos_token") is True or probe[:1] == [self.bos_id]

    def _find_fim(self) -> FimIds | None:
        for markers in _FIM_MARKERS:
            prefix, suffix, middle = map(self._library.token_to_id, markers)
            if prefix is not None and suffix is not None and middle is not None:
                return FimIds(prefix=prefix, suffix=suffix, middle=middle)
        return None


def _quiet(library: Library) -> Library:
    library.no_truncation()
    library.no_padding()
    return library


class _AddedToken(msgspec.Struct):
    id: int
    content: str
    special: bool = False


class _Fields(msgspec.Struct):
    """The few fields of the file that the library does not show."""

    added_tokens: list[_AddedToken] = []
    decoder: dict[str, Any] | None = None

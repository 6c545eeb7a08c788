"""Texts as the encoder in a model folder reads them: its tokenizer with its special tokens, and its instructions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer as Library

from appliance.backends.base import EncoderInput
from appliance.core.request import InputRole
from appliance.errors import BackendError
from models.formats.encoder_config import read_encoder_config
from models.formats.folder_config import read_folder_config

# What models call the instruction for each kind of text, the best name first.
_PROMPT_NAMES: dict[InputRole, tuple[str, ...]] = {
    "query": ("query", "retrieval.query", "web_search_query", "search_query", "s2p_query"),
    "document": ("document", "passage", "retrieval.passage", "search_document", "corpus"),
}


class FolderInputs:
    """The vocabulary in `folder`. Raises: BackendError, if it cannot be read."""

    def __init__(self, folder: Path) -> None:
        path = folder / "tokenizer.json"
        try:
            self._library = Library.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise BackendError(f"the tokenizer {path} cannot be read: {error}") from None
        self._library.no_truncation()  # what is too long is refused, with both numbers
        self._library.no_padding()
        self._library.encode_special_tokens = True  # the name of a special token in a text is text
        self._config = read_encoder_config(folder)
        known = self._library.get_vocab_size(with_added_tokens=True)
        self.vocab_size = max(known, read_folder_config(folder).vocab_size or 0)

    def read(self, texts: Sequence[str], role: InputRole | None) -> list[EncoderInput]:
        """Return each text with its special tokens, after the instruction for its role or the model's default one."""
        instruction = self._instruction(role)
        encodings = self._library.encode_batch_fast([instruction + text for text in texts])
        return [EncoderInput(np.array(each.ids, np.int32)) for each in encodings]

    def read_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[EncoderInput]:
        """Return each pair as the tokenizer joins two texts."""
        return [
            EncoderInput(np.array(each.ids, np.int32), np.array(each.type_ids, np.int32))
            for each in self._library.encode_batch_fast(list(pairs))
        ]

    def _instruction(self, role: InputRole | None) -> str:
        prompts, default = self._config.prompts, self._config.default_prompt
        names = (*_PROMPT_NAMES[role], default) if role else (default,)
        return next((prompts[name] for name in names if name in prompts), "")

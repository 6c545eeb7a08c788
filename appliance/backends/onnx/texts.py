"""The texts for measuring, as the tokens of a model's folder."""

from pathlib import Path

import numpy as np
import tokenizers

from appliance.backends.held_out import HELD_OUT, Tokens, windows_of
from appliance.errors import InvalidRequest
from models.formats.folder_config import read_folder_config


def windows(folder: Path, vocab_size: int, file: Path = HELD_OUT) -> list[Tokens]:
    """Return the texts as tokens of the model in `folder`, in pieces that fit its context. Raises: InvalidRequest."""
    tokenizer = open_tokenizer(folder)
    context_tokens = read_folder_config(folder).context_length_tokens
    found = windows_of(lambda text: np.array(tokenizer.encode(text).ids, np.int32), context_tokens, file)
    largest = max((int(window.max()) for window in found), default=0)
    if largest >= vocab_size:
        raise InvalidRequest(f"{folder} has a tokenizer of another model: token {largest} of {vocab_size}")
    return found


def open_tokenizer(folder: Path) -> tokenizers.Tokenizer:
    """Open the tokenizer beside a model. Raises: InvalidRequest."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise InvalidRequest(f"{folder} has no tokenizer.json, without which nobody can say what quantizing costs")
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library has no error of its own
        raise InvalidRequest(f"{path} is not a tokenizer that is understood here: {error}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer

"""The texts by which a quantized model is judged: English, Chinese and code that no training set holds.

Other texts, in `calibration.txt`, say which values to expect: nobody is judged by what they were fitted to.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tokenizers

from appliance.errors import InvalidRequest

HELD_OUT, CALIBRATION = (Path(__file__).with_name(name) for name in ("held_out.txt", "calibration.txt"))
_SEPARATOR = "\n---\n"
_MAX_WINDOW_TOKENS = 512


def texts(file: Path = HELD_OUT) -> list[str]:
    """Return the texts of a file, each of one kind."""
    return file.read_text(encoding="utf-8").split(_SEPARATOR)


def sentences() -> list[str]:
    """Return the paragraphs, for models that read a text at once."""
    return [line.strip() for text in texts() for line in text.splitlines() if len(line.strip()) > 40]


def windows(folder: Path, vocab_size: int, context_tokens: int, file: Path = HELD_OUT) -> list[npt.NDArray[np.int32]]:
    """Return the texts as tokens of the model in `folder`, in pieces that fit its context. Raises: InvalidRequest."""
    tokenizer = open_tokenizer(folder)
    length = min(_MAX_WINDOW_TOKENS, context_tokens)
    found = list(_windows(tokenizer, texts(file), length))
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


def _windows(tokenizer: tokenizers.Tokenizer, texts: list[str], length: int) -> Iterator[npt.NDArray[np.int32]]:
    for text in texts:
        ids = np.array(tokenizer.encode(text).ids, np.int32)
        for start in range(0, len(ids), length):
            if len(ids) - start > 1:
                yield ids[start : start + length]

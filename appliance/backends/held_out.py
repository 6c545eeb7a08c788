"""The texts by which a quantized model is judged: English, Chinese and code that no training set holds.

Other texts, in `calibration.txt`, say which values to expect: nobody is judged by what they were fitted to. A file of
either kind, also one of an operator's own, has a line `---` between two texts.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

HELD_OUT, CALIBRATION = (Path(__file__).with_name(name) for name in ("held_out.txt", "calibration.txt"))
MAX_WINDOW_TOKENS = 512
MAX_TOKENS = 2048
"""About so many tokens of the texts are read by two models that are compared."""

_SEPARATOR = "\n---\n"
_LEAST_TOKENS = 2

Tokens = npt.NDArray[np.int32]


def texts(file: Path = HELD_OUT) -> list[str]:
    """Return the texts of a file, each of one kind."""
    return file.read_text(encoding="utf-8").split(_SEPARATOR)


def sentences() -> list[str]:
    """Return the paragraphs, for models that read a text at once."""
    return [line.strip() for text in texts() for line in text.splitlines() if len(line.strip()) > 40]


def windows_of(encode: Callable[[str], Tokens], context_tokens: int | None, file: Path = HELD_OUT) -> list[Tokens]:
    """Return the texts as tokens, in pieces that fit a context; what is a single token says nothing and is left out."""
    length = min(MAX_WINDOW_TOKENS, context_tokens or MAX_WINDOW_TOKENS)
    pieces = (ids[start : start + length] for ids in map(encode, texts(file)) for start in range(0, len(ids), length))
    return [piece for piece in pieces if len(piece) >= _LEAST_TOKENS]


def beginnings(windows: Sequence[Tokens], max_tokens: int = MAX_TOKENS) -> list[Tokens]:
    """Return all windows, or their beginnings with about so many tokens together: no kind of text is left out."""
    if sum(map(len, windows)) <= max_tokens:
        return list(windows)
    share = max(max_tokens // len(windows), _LEAST_TOKENS)
    return [window[:share] for window in windows]

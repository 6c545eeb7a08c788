"""Which of several ONNX graphs of one model suits a processor. Pure: looks at names only.

Source: the endings that transformers.js gives the graphs of a repository, by the type of their weights.
"""

import re
from collections.abc import Sequence
from pathlib import PurePath

# The fewest bytes for each token first: reading weights is what decoding waits for.
_ORDER = {"q4": 0, "int8": 1, "quantized": 1, "q8": 1, "uint8": 1, "": 2}
_FOR_OTHER_DEVICES = ("q4f16", "fp16", "bf16", "bnb4")
_STEMS = ("model", "decoder_model_merged", "decoder_model")
_LABEL = re.compile(rf"(.+?)_({'|'.join(filter(None, (*_ORDER, *_FOR_OTHER_DEVICES)))})")
ORDER_TEXT = "on a processor 4-bit weights come first, then 8-bit ones, then 32-bit floats"


def choose_graph(names: Sequence[str]) -> str | None:
    """Return the name of the graph to take, None where none is made for a processor or no name is known."""
    ranked = [(rank, name) for name in names if (rank := _rank(name)) is not None]
    return min(ranked)[1] if ranked else None


def _rank(name: str) -> tuple[int, int] | None:
    """Return the order of a graph by weights and then by kind, None for one that is not for this."""
    stem = PurePath(name).stem
    match = _LABEL.fullmatch(stem)
    kind, label = (match[1], match[2]) if match else (stem, "")
    if label not in _ORDER or kind not in _STEMS:
        return None
    return _ORDER[label], _STEMS.index(kind)

"""Which ONNX graphs of a Whisper model belong together, and which of several weight types suit a processor. Pure.

Source: the names that optimum's exporter and transformers.js give the graphs of a repository.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_ENCODER, _MERGED, _FIRST, _LATER = (
    "encoder_model",
    "decoder_model_merged",
    "decoder_model",
    "decoder_with_past_model",
)
# The encoder computes 1,500 positions at once: what counts is arithmetic, and integers of 8 bits are fastest at it.
# `int8` comes last there: the library has no kernel for the convolutions of signed weights that it begins with.
_ENCODER_ORDER = ("quantized", "uint8", "q8", "", "q4", "int8")
_DECODER_ORDER = ("quantized", "int8", "uint8", "q8", "q4", "")
ORDER_TEXT = "8-bit weights come first on a processor, then 32-bit floats in the encoder and 4-bit ones in the decoder"


@dataclass(frozen=True, slots=True)
class SpeechGraphs:
    """The names of the graphs of one model. `later` is the decoder with what it remembers, None where one is both."""

    encoder: str
    decoder: str
    later: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names, that of the decoder first: it is the one that is opened."""
        return (self.decoder, self.encoder, *((self.later,) if self.later else ()))


def choose_speech_graphs(names: Sequence[str], wanted: str | None = None) -> SpeechGraphs | None:
    """Return the graphs to take; None where an encoder or a decoder is missing.

    `wanted` is a weight type (`q4`), or one of the graphs by its name, whose type the others get where it is there.
    """
    label = None if wanted is None else _label_of(wanted)
    encoder = _best(names, _ENCODER, _first_of(_ENCODER_ORDER, label))
    if encoder is None:
        return None
    order = _first_of(_DECODER_ORDER, label)
    for each in order:
        if merged := _named(names, _MERGED, each):
            return SpeechGraphs(encoder, merged)
    for each in order:
        first, later = _named(names, _FIRST, each), _named(names, _LATER, each)
        if first and later:
            return SpeechGraphs(encoder, first, later)
    return None


def speech_reason(graphs: SpeechGraphs, names: Sequence[str]) -> str | None:
    """Return why these graphs were taken, None where there was no choice."""
    if len(names) == len(graphs.names):
        return None
    return f"{' and '.join(graphs.names)} of {len(names)} graphs: {ORDER_TEXT}"


def are_speech_graphs(names: Iterable[str]) -> bool:
    """Return whether there is an encoder and a decoder among the names, and nothing else that a model is made of."""
    kinds = {_kind_of(name) for name in names}
    return _ENCODER in kinds and len(kinds) > 1 and None not in kinds


def _kind_of(name: str) -> str | None:
    stem = PurePosixPath(name).stem.casefold()
    return next((kind for kind in (_MERGED, _LATER, _FIRST, _ENCODER) if stem.startswith(kind)), None)


def _label_of(wanted: str) -> str:
    stem = PurePosixPath(wanted.casefold()).stem
    return stem.removeprefix(_kind_of(stem) or "").removeprefix("_")


def _first_of(order: Sequence[str], label: str | None) -> tuple[str, ...]:
    return tuple(order) if label is None else (label, *(each for each in order if each != label))


def _best(names: Sequence[str], kind: str, order: Sequence[str]) -> str | None:
    return next((name for label in order if (name := _named(names, kind, label))), None)


def _named(names: Sequence[str], kind: str, label: str) -> str | None:
    return min((name for name in names if _suffix(name, kind) == label), default=None)


def _suffix(name: str, kind: str) -> str | None:
    """Return what follows the kind in the name of a graph, None for another kind."""
    stem = PurePosixPath(name).stem.casefold()
    if stem == kind:
        return ""
    return stem.removeprefix(f"{kind}_") if stem.startswith(f"{kind}_") else None

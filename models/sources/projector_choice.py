"""Which projector belongs to a model, by the names of the files that lie together. Pure.

They are called `mmproj-F16.gguf`, `mmproj-MODEL-f16.gguf` or `MODEL-mmproj-f16.gguf`; of several the one is taken whose
quantization is nearest to the model's, as llama.cpp's `-hf` does (`common/download.cpp`, `find_best_sibling`).
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from models.formats.shard_names import shard_of
from models.sources.quantization_labels import label_of, without_label

_WORD = re.compile(r"(^|[-_.])mmproj(?=[-_.]|$)", re.IGNORECASE)
_SEPARATORS = re.compile(r"[-_.\s]+")
_GENERIC = ("", "model", "ggml")
_BITS = re.compile(r"\d+")


def is_projector_name(name: str) -> bool:
    """Return whether a file's name says that it is a projector."""
    path = PurePosixPath(name)
    return path.suffix.lower() == ".gguf" and _WORD.search(path.stem) is not None


def projector_of(model: str, names: Sequence[str], *, is_repository: bool = False) -> str | None:
    """Return the projector of a model among all files that lie with it; None where none is known to belong to it.

    In a repository, which holds one model in several forms, every projector does.
    """
    if is_projector_name(model):
        return None
    projectors = [name for name in names if is_projector_name(name) and _is_near(name, model)]
    own = _stem(model)
    is_alone = {_stem(name) for name in names if _is_weights(name)} <= {own}
    fitting = [
        name
        for name in projectors
        if _is_of(_stem(name), own) or (is_alone and (is_repository or _stem(name) in _GENERIC))
    ]
    depth = max((len(PurePosixPath(name).parts) for name in fitting), default=0)
    nearest = [name for name in fitting if len(PurePosixPath(name).parts) == depth]
    return min(nearest, key=lambda name: _rank(name, model), default=None)


def _is_weights(name: str) -> bool:
    """Return whether a file is a model, and not what guided a quantization."""
    folded = name.lower()
    return folded.endswith(".gguf") and not is_projector_name(name) and "imatrix" not in folded


def _stem(name: str) -> str:
    """Return what a name has in common with those of the model's other files: no part, no quantization, no mmproj."""
    base = PurePosixPath(name).name
    shard = shard_of(base)
    plain = without_label(_WORD.sub("-", shard.stem if shard else base.rpartition(".")[0]))
    stem = _SEPARATORS.sub("-", plain).strip("-").casefold()
    return stem.removesuffix("-model") if is_projector_name(name) else stem


def _is_of(projector: str, model: str) -> bool:
    """Return whether one name begins with the other, word by word."""
    if projector in _GENERIC:
        return False
    short, long = sorted((projector, model), key=len)
    return bool(short) and f"{long}-".startswith(f"{short}-")


def _is_near(projector: str, model: str) -> bool:
    """Return whether a projector lies in the model's folder, or in one above it."""
    return PurePosixPath(model).parent.is_relative_to(PurePosixPath(projector).parent)


def _rank(projector: str, model: str) -> tuple[int, bool, str]:
    """Return how far the quantizations are apart; of two that are as near, F16 is the one that every machine reads."""
    return abs(_bits(projector) - _bits(model)), label_of(projector) != "F16", projector


def _bits(name: str) -> int:
    found = _BITS.search(label_of(PurePosixPath(name).name) or "")
    return int(found[0]) if found else 0

"""Which GGUF file of many: repositories keep one model in a dozen quantizations. Pure."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import msgspec

from models.sources.base import RemoteFile, SourceError
from models.sources.picked import Picked, Shards, grouped, nearest_names, parts_named
from models.sources.projector_choice import projector_of
from models.sources.quantization_labels import label_of

# What most people take first: small enough to be fast, good enough not to be noticed. Then what is near to that.
_ORDER = (
    *("Q4_K_M", "UD-Q4_K_XL", "Q4_K_S", "MXFP4_MOE", "MXFP4", "Q4_0", "IQ4_NL", "Q4_K_L", "IQ4_XS", "Q4_1", "Q5_K_M"),
    *("UD-Q5_K_XL", "Q5_K_S", "Q5_0", "Q5_1", "Q6_K", "Q8_0", "Q3_K_L", "UD-Q3_K_XL", "Q3_K_M", "IQ3_M", "IQ3_S"),
    *("Q3_K_S", "IQ3_XS", "BF16", "F16", "F32", "IQ3_XXS", "UD-Q2_K_XL", "Q2_K", "IQ2_M", "Q2_K_S", "IQ2_S", "IQ2_XS"),
)
_REASON = "Q4_K_M comes first, as the smallest that is hardly worse than the original, then what is nearest to it"
NO_WEIGHTS = re.compile(r"(^|[-_.])(mmproj|imatrix)([-_.]|$)", re.IGNORECASE)
"""What is in the names of files that belong to a model and are none: what sees pictures, what guides a quantization."""


def choose_gguf(files: Sequence[RemoteFile], pick: str | None, max_bytes: int | None) -> Picked | None:
    """Return the file, or all parts of it, and last its projector, if there is one; None where there is no such file.

    Raises: SourceError.
    """
    ggufs = [file for file in files if file.name.lower().endswith(".gguf")]
    picked = _choose(ggufs, pick, max_bytes)
    return None if picked is None else _with_projector(picked, ggufs)


def _choose(ggufs: Sequence[RemoteFile], pick: str | None, max_bytes: int | None) -> Picked | None:
    groups = grouped(_picked_parts(ggufs, pick))
    weights = [group for group in groups if not _is_no_weights(group)] if pick is None else groups
    if not weights:
        return None
    if pick is not None:
        return _result(_only(weights, f"{pick!r}"), None)
    ranked = sorted(weights, key=_rank)
    fitting = [group for group in ranked if max_bytes is None or (group.size_bytes or 0) <= max_bytes]
    best = fitting[0] if fitting else min(ranked, key=lambda group: group.size_bytes or 0)
    alike = [group for group in (fitting or [best]) if label_of(group.stem) == label_of(best.stem)]
    chosen = _only(alike, "the repository")
    if len(weights) == 1:
        return _result(chosen, None)
    of = f"{label_of(chosen.stem) or chosen.stem} of {len(weights)} files"
    if not fitting:
        return _result(chosen, f"{of}: the smallest, and larger than the {_gib(max_bytes or 0)} that there is room for")
    room = f", in the {_gib(max_bytes)} that there is room for" if max_bytes is not None else ""
    return _result(chosen, f"{of}: {_REASON}{room}")


def _picked_parts(ggufs: Sequence[RemoteFile], pick: str | None) -> Sequence[RemoteFile]:
    """Return the files that a pick means, with all parts of one that was split."""
    if pick is None:
        return ggufs
    named = parts_named(ggufs, pick)
    if named:
        return named
    wanted = pick.casefold()
    labels = {wanted, wanted.replace("fp16", "f16").replace("fp32", "f32")}
    return [
        file for file in ggufs if (label_of(file.name) or "").casefold() in labels and not NO_WEIGHTS.search(file.name)
    ]


def _is_no_weights(group: Shards) -> bool:
    """Return whether a file belongs to a model without being one: what sees pictures, or what guided a quantization."""
    match = NO_WEIGHTS.search(PurePosixPath(group.stem).name)
    return match is not None and (match[2].lower() == "mmproj" or label_of(group.stem) is None)


def _rank(group: Shards) -> tuple[int, str]:
    label = label_of(group.stem)
    return (_ORDER.index(label) if label in _ORDER else len(_ORDER), group.stem)


def _only(groups: Sequence[Shards], asked: str) -> Shards:
    """Return the one there is. Raises: SourceError, naming them, as the wrong model would be worse than none."""
    if len(groups) > 1:
        names = [group.files[0].name for group in groups]
        raise SourceError(f"{asked} means several files, name one behind ':'; {nearest_names('', names)}")
    return groups[0]


def _with_projector(picked: Picked, ggufs: Sequence[RemoteFile]) -> Picked:
    """Return the files as they lie beside each other, whatever folder the source has them in."""
    name = projector_of(picked.files[0].name, [file.name for file in ggufs], is_repository=True)
    found = [file for file in ggufs if file.name == name and file not in picked.files]
    reason = picked.reason
    if found and reason is not None:
        reason = f"{reason}; with {PurePosixPath(found[0].name).name}, through which it reads pictures or sound"
    files = tuple(msgspec.structs.replace(file, name=PurePosixPath(file.name).name) for file in (*picked.files, *found))
    return replace(picked, files=files, reason=reason)


def _result(group: Shards, reason: str | None) -> Picked:
    return Picked(group.whole(), PurePosixPath(group.stem).name, label_of(group.stem), reason)


def _gib(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:.1f} GiB"

"""Which files of a repository make a model of safetensors: its weights, and what tells of it beside them. Pure."""

import re
from collections.abc import Sequence

from models.formats.folder_config import CONFIG_FILES
from models.sources.base import RemoteFile, SourceError
from models.sources.picked import Picked, grouped, legal_files, nearest_names, parts_named

_ENDING = ".safetensors"
_INDEX_ENDING = ".safetensors.index.json"
_MODEL_STEM = "model"
_ADAPTER = ("adapter_model.safetensors", "adapter_config.json")
_BESIDE = frozenset(
    {
        *CONFIG_FILES,
        "tokenizer.model",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
        "added_tokens.json",
        "chat_template.json",
    }
)
# A sentence encoder keeps layers of its own in numbered folders beside the model
_MODULE = re.compile(r"\d+_[A-Za-z]+/(config\.json|model\.safetensors)")


def choose_safetensors(files: Sequence[RemoteFile], pick: str | None, max_bytes: int | None) -> Picked | None:
    """Return the first weights first; None where there are no such ones. Raises: SourceError."""
    weights = [file for file in files if file.name.endswith(_ENDING) and "/" not in file.name]
    if pick is not None:
        weights = parts_named(weights, pick)
    names = {file.name: file for file in files}
    if set(_ADAPTER) <= names.keys() and (pick is None or pick == _ADAPTER[0]) and f"model{_ENDING}" not in names:
        return Picked(tuple(names[name] for name in _ADAPTER) + _beside(files, skip=set(_ADAPTER)))
    groups = grouped(weights)
    if not groups:
        return None
    usual = [group for group in groups if group.stem == _MODEL_STEM] or groups
    if len(usual) > 1:
        of = nearest_names(f"model{_ENDING}", [group.files[0].name for group in usual])
        raise SourceError(f"the repository has weights under several names; name one behind ':'; {of}")
    if "config.json" not in names:
        raise SourceError(
            "the repository has no config.json, without which nobody knows what the weights are; "
            "look for one made for transformers, or with .gguf files"
        )
    taken = usual[0].whole()
    index = tuple(file for name, file in names.items() if name == f"{usual[0].stem}{_INDEX_ENDING}")
    reason = f"{taken[0].name} of {len(groups)}: the name that weights usually have" if len(groups) > 1 else None
    return Picked((*taken, *index, *_beside(files, skip=set())), None, None, reason)


def _beside(files: Sequence[RemoteFile], skip: set[str]) -> tuple[RemoteFile, ...]:
    told = [file for file in files if file.name in _BESIDE or _MODULE.fullmatch(file.name)]
    return tuple(file for file in (*told, *legal_files(files)) if file.name not in skip)

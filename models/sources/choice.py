"""Which files of a repository make a model that runs here, and why these. Pure: looks at names and sizes only.

GGUF comes first, as it runs as it is, then ONNX, then safetensors, which has to be converted. Weights that are Python
pickles are refused: to read one is to run the program in it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.sources.base import RemoteFile, SourceError
from models.sources.file_names import checked, is_pickle
from models.sources.gguf_choice import choose_gguf
from models.sources.onnx_choice import choose_onnx
from models.sources.picked import Picked, nearest_names
from models.sources.safetensors_choice import choose_safetensors

Chooser = Callable[[Sequence[RemoteFile], str | None, int | None], Picked | None]
_CHOOSERS: dict[str, Chooser] = {
    "gguf": choose_gguf,
    "onnx": choose_onnx,
    "safetensors": choose_safetensors,
}
_ENDINGS = {".gguf": "gguf", ".onnx": "onnx", ".safetensors": "safetensors"}
_GENERIC_STEMS = ("model", "ggml-model", "ggml_model", "unsloth", "weights")
_REPOSITORY_ENDINGS = ("-gguf", "_gguf", "-onnx", "-safetensors")


@dataclass(frozen=True, slots=True)
class Choice:
    """The files to fetch, the one that is opened first, what the model would be called, and why these.

    `first_name` is what the source calls the first one: it may lie in a folder there that is not needed here.
    """

    files: tuple[RemoteFile, ...]
    first_name: str
    stem: str
    reason: str | None


def choose_files(
    files: Sequence[RemoteFile], repository: str, pick: str | None = None, max_bytes: int | None = None
) -> Choice:
    """Return the model in a repository.

    `pick` is a quantization (`Q4_K_M`, `q4`), a format (`onnx`), a folder or a file; without one what suits most
    machines is taken, of at most `max_bytes` if there is such a one. Raises: SourceError.
    """
    if pick is not None and is_pickle(pick):
        raise SourceError(_pickle_refusal(pick))
    for chooser, within in _asked(pick):
        picked = chooser(files, within, max_bytes)
        if picked is not None:
            taken = checked(picked.files)
            first = next(file.name for file in files if file.url == taken[0].url)
            return Choice(taken, first, _stem(picked, repository), picked.reason)
    raise SourceError(_nothing_found(files, repository, pick))


def _asked(pick: str | None) -> list[tuple[Chooser, str | None]]:
    """Return who may choose, and by what."""
    wanted = (pick or "").lower()
    if wanted in _CHOOSERS:
        return [(_CHOOSERS[wanted], None)]
    ending = next((format for ending, format in _ENDINGS.items() if wanted.endswith(ending)), None)
    return [(chooser, pick) for format, chooser in _CHOOSERS.items() if ending in (None, format)]


def _stem(picked: Picked, repository: str) -> str:
    """Return the name of a file that has one of its own, else that of the repository."""
    own = picked.stem
    if own and not own.lower().startswith(_GENERIC_STEMS):
        return own
    name = repository.rpartition("/")[2]
    ending = next((ending for ending in _REPOSITORY_ENDINGS if name.lower().endswith(ending)), "")
    label = f"-{picked.label}" if own is not None and picked.label else ""
    return name[: len(name) - len(ending)] + label


def _nothing_found(files: Sequence[RemoteFile], repository: str, pick: str | None) -> str:
    usable = [file.name for file in files if file.name.lower().endswith(tuple(_ENDINGS))]
    if pick is not None and usable:
        return f"{repository} has no {pick!r}; {nearest_names(pick, usable)}"
    pickle = next((file.name for file in files if is_pickle(file.name)), None)
    if pickle is not None and not usable:
        return f"{repository}: {_pickle_refusal(pickle)}"
    return f"{repository} has no model in a format that runs here: neither .gguf nor .onnx nor .safetensors"


def _pickle_refusal(name: str) -> str:
    return (
        f"{name} is of a format that can run a program when it is read, and is refused; "
        "look for a repository of the same model with .gguf or .safetensors files"
    )

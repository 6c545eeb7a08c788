"""All that other programs keep, program by program, each model under a name of its own."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from models.importers.base import ForeignModel, Program, Search, name_of
from models.importers.gguf_trees import find_llama_cpp, find_lm_studio
from models.importers.hugging_face import find_hugging_face
from models.importers.ollama import find_ollama

_FINDERS: Mapping[Program, Callable[[Path, Search], None]] = {
    "ollama": find_ollama,
    "lm_studio": find_lm_studio,
    "hugging_face": find_hugging_face,
    "llama_cpp": find_llama_cpp,
}


def find_everywhere(roots: Mapping[Program, Sequence[Path]]) -> Search:
    """Return the models below the folders of each program. What is not there is no error."""
    search = Search(models=[], notes=[])
    for program, folders in roots.items():
        for root in dict.fromkeys(folder.absolute() for folder in folders):
            _FINDERS[program](root, search)
    return Search(models=_with_own_names(search.models), notes=search.notes)


def _with_own_names(models: Sequence[ForeignModel]) -> list[ForeignModel]:
    """Let no two models have one name: the later of them gets that of its publisher or program before it."""
    taken: set[str] = set()
    named: list[ForeignModel] = []
    for model in models:
        publisher = model.provenance.publisher if model.provenance else None
        before = publisher or model.program
        base = model.name.rpartition("/")[2]
        choices = (model.name, name_of(base, before), *(name_of(f"{base}-{n}", before) for n in range(2, 1000)))
        name = next(choice for choice in choices if choice not in taken)
        taken.add(name)
        named.append(msgspec.structs.replace(model, name=name))
    return named

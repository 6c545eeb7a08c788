"""Find the files of an ONNX model: the graph, its weights, and what tells of the model beside them.

Two layouts: onnxruntime-genai's, whose configuration names the graph, and that of transformers.js, with graphs of
several weight types in `onnx/`; a model of speech has two or three at once. Links are not followed here: a cache keeps
the files' names in its links.
"""

import os
from pathlib import Path

from models.errors import StoreError, file_errors
from models.finding.found import Found, FoundFile
from models.finding.quality_file import read_quality
from models.formats.folder_config import CONFIG_FILES, config_folder, named_graph
from models.formats.graph_choice import ORDER_TEXT, choose_graph
from models.formats.refusal import refused_name
from models.formats.speech_config import SPEECH_FILES, is_speech
from models.formats.speech_graphs import choose_speech_graphs, speech_reason
from models.workshop import Workshop

_CACHE_PREFIX = "models--"


def find_onnx(path: Path, workshop: Workshop | None) -> Found:
    """Find the model in a folder, or that of one graph; the workshop says what its weights are. Raises: StoreError."""
    with file_errors(path):
        if path.is_dir():
            graph, choice = _choose(path.resolve(strict=True))
        else:
            path.stat()
            graph, choice = path.parent.resolve(strict=True) / path.name, None
        folder = config_folder(graph)
        if not (folder / "tokenizer.json").is_file():
            raise StoreError(f"{folder} has no tokenizer.json, without which the model reads no text")
        if workshop is None:
            raise StoreError(f"nothing is installed here that reads {graph}")
        examined = workshop.examine(graph)
        files = [graph, *(_inside(folder, graph.parent / name) for name in examined.data_files)]
        told_by = (*CONFIG_FILES, *SPEECH_FILES) if examined.details.is_transcriber else CONFIG_FILES
        files += [folder / name for name in told_by if (folder / name).is_file()]
        found = tuple(FoundFile(file, file.relative_to(folder).as_posix()) for file in files)
        return Found("onnx", found, stem_of(folder), examined.details, choice, read_quality(folder))


def _choose(folder: Path) -> tuple[Path, str | None]:
    """Return the graph to take, and why if there was a choice."""
    named = named_graph(folder)
    if named is not None and (folder / named).is_file():
        return folder / named, None
    names = sorted(
        path.relative_to(folder).as_posix() for part in (".", "onnx") for path in (folder / part).glob("*.onnx")
    )
    if not names:
        for file in sorted(folder.iterdir()):
            if refusal := refused_name(file.name):
                raise StoreError(f"{folder} is refused: {refusal}")
        raise StoreError(f"{folder} is a folder without an ONNX graph or safetensors; name such a one, or a .gguf file")
    if is_speech(folder) and (graphs := choose_speech_graphs(names)):
        return folder / graphs.decoder, speech_reason(graphs, names)
    chosen = names[0] if len(names) == 1 else choose_graph(names)
    if chosen is None:
        raise StoreError(f"{folder} has no graph that is known to suit a processor; name one of {', '.join(names)}")
    choice = f"{chosen} of {len(names)} graphs: {ORDER_TEXT}" if len(names) > 1 else None
    return folder / chosen, choice


def _inside(folder: Path, path: Path) -> Path:
    normal = Path(os.path.normpath(path))
    if not normal.is_relative_to(folder):
        raise StoreError(f"the weights in {normal} lie outside {folder}; a model's files belong in one folder")
    return normal


def stem_of(folder: Path) -> str:
    """Return the folder's name; in a download cache, whose folders are named by commits, that of the repository."""
    repository = folder.parent.parent.name
    if folder.parent.name == "snapshots" and repository.startswith(_CACHE_PREFIX):
        return repository.rpartition("--")[2]
    return folder.name

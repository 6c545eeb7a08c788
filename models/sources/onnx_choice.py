"""Which ONNX graph of a repository, with its weights and what tells of the model beside it. Pure.

Two layouts: onnxruntime-genai's, a folder with everything in it for each kind of device; and that of transformers.js,
with graphs of several weight types in `onnx/` and the configuration above. A model of speech has several graphs.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath

import msgspec

from models.formats.folder_config import CONFIG_FILES
from models.formats.graph_choice import ORDER_TEXT, choose_graph
from models.formats.speech_config import PREPROCESSOR_FILE, SPEECH_FILES
from models.formats.speech_graphs import SpeechGraphs, are_speech_graphs, choose_speech_graphs, speech_reason
from models.sources.base import RemoteFile, SourceError
from models.sources.file_names import is_program
from models.sources.picked import Picked, legal_files, nearest_names

_GENAI_CONFIG = "genai_config.json"
_DATA_ENDINGS = ("_data", ".data")
_FOR_OTHER_DEVICES = ("cuda", "directml", "dml", "webgpu", "webnn", "qnn", "npu", "openvino", "vitis")


def choose_onnx(files: Sequence[RemoteFile], pick: str | None, max_bytes: int | None) -> Picked | None:
    """Return the graph first, its weights and configuration; None where there is no such one. Raises: SourceError."""
    graphs = [file for file in files if file.name.lower().endswith(".onnx")]
    if not graphs:
        return None
    folders = sorted({_folder(file.name) for file in files if PurePosixPath(file.name).name == _GENAI_CONFIG})
    complete = [folder for folder in folders if any(_folder(graph.name) == folder for graph in graphs)]
    if complete and (pick is None or any(_is_in(pick, folder) for folder in complete)):
        return _whole_folder(files, complete, pick)
    named = _picked_graphs(graphs, pick)
    if not named:
        return None
    if speech := _speech_graphs(files, graphs, pick):
        return _graph_and_configuration(files, speech.names, speech_reason(speech, [graph.name for graph in graphs]))
    names = [graph.name for graph in named]
    chosen = names[0] if len(names) == 1 else choose_graph([name for name in names if _is_usual_place(name)])
    if chosen is None:
        raise SourceError(
            f"the repository has no graph that is known to suit a processor; name one behind ':'; "
            f"{nearest_names('model.onnx', names)}"
        )
    reason = f"{chosen} of {len(names)} graphs: {ORDER_TEXT}" if len(names) > 1 else None
    return _graph_and_configuration(files, (chosen,), reason)


def _speech_graphs(files: Sequence[RemoteFile], graphs: Sequence[RemoteFile], pick: str | None) -> SpeechGraphs | None:
    """Return the graphs that only together turn speech into text; None where the repository is of another kind."""
    names = [graph.name for graph in graphs if pick is not None or _is_usual_place(graph.name)]
    is_about_sound = any(PurePosixPath(file.name).name == PREPROCESSOR_FILE for file in files)
    return choose_speech_graphs(names, pick) if is_about_sound and are_speech_graphs(names) else None


def _graph_and_configuration(files: Sequence[RemoteFile], chosen: Sequence[str], reason: str | None) -> Picked:
    """Return graphs of a repository, all names as the repository has them, or their folder if that holds all."""
    root = _root(files, chosen[0])
    data = [file for file in files if any(_is_data_of(file.name, graph) for graph in chosen)]
    wanted = {f"{root}{name}" for name in (CONFIG_FILES if len(chosen) == 1 else (*CONFIG_FILES, *SPEECH_FILES))}
    config = [file for file in files if file.name in wanted]
    graphs = [file for name in chosen for file in files if file.name == name]
    taken = [*graphs, *sorted(data, key=_by_name), *config, *(legal_files(files) if not root else [])]
    return Picked(tuple(_below(file, root) for file in taken), None, None, reason)


def _is_data_of(name: str, graph: str) -> bool:
    return name.startswith(graph) and name[len(graph) :].startswith(_DATA_ENDINGS)


def _root(files: Sequence[RemoteFile], chosen: str) -> str:
    """Return the folder that has the tokenizer, with a slash: the graph's own or the one above it."""
    names = {file.name for file in files}
    folder = PurePosixPath(chosen).parent
    for each in (folder, folder.parent):
        prefix = "" if str(each) == "." else f"{each}/"
        if f"{prefix}tokenizer.json" in names:
            return prefix
    raise SourceError(f"the repository has no tokenizer.json for {chosen}, without which the model reads no text")


def _whole_folder(files: Sequence[RemoteFile], folders: Sequence[str], pick: str | None) -> Picked:
    """Return all of the folder that onnxruntime-genai would open. Raises: SourceError."""
    matching = [folder for folder in folders if pick is None or _is_in(pick, folder)]
    suited = [folder for folder in matching if not any(word in folder.lower() for word in _FOR_OTHER_DEVICES)]
    chosen = min(suited if pick is None else matching, key=_device_order, default=None)
    if chosen is None:
        raise SourceError(
            "the repository has graphs for other devices only; name one's folder behind ':'; "
            f"{nearest_names('cpu', folders)}"
        )
    inside = [file for file in files if _folder(file.name) == chosen and not is_program(file.name)]
    graphs = sorted((file for file in inside if file.name.lower().endswith(".onnx")), key=_by_name)
    first = next((graph for graph in graphs if PurePosixPath(graph.name).name == "model.onnx"), graphs[0])
    taken = [first, *(file for file in inside if file is not first)]
    taken += legal_files(files) if chosen else []
    prefix = f"{chosen}/" if chosen else ""
    reason = f"{chosen} of {len(folders)} folders: it is made for processors" if len(folders) > 1 else None
    return Picked(tuple(_below(file, prefix) for file in taken), None, None, reason)


def _picked_graphs(graphs: Sequence[RemoteFile], pick: str | None) -> list[RemoteFile]:
    if pick is None:
        return list(graphs)
    wanted = pick.casefold()
    named = [graph for graph in graphs if wanted in (graph.name.casefold(), PurePosixPath(graph.name).name.casefold())]
    return named or [graph for graph in graphs if PurePosixPath(graph.name).stem.casefold().endswith(f"_{wanted}")]


def _is_usual_place(name: str) -> bool:
    return str(PurePosixPath(name).parent) in (".", "onnx")


def _device_order(folder: str) -> tuple[int, str]:
    return (0 if "cpu" in folder.lower() else 1, folder)


def _is_in(pick: str, folder: str) -> bool:
    """Return whether a pick means a folder, by its whole name or its last part, or a file in it."""
    wanted = pick.strip("/")
    by_folder = folder != "" and wanted in (folder, PurePosixPath(folder).name)
    return by_folder or (wanted.lower().endswith(".onnx") and _folder(wanted) == folder)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _by_name(file: RemoteFile) -> str:
    return file.name


def _below(file: RemoteFile, prefix: str) -> RemoteFile:
    return msgspec.structs.replace(file, name=file.name.removeprefix(prefix))

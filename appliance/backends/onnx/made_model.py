"""Where an ONNX model is taken from to make another of it, and what goes into the folder of the new one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from appliance.errors import InvalidRequest, ModelNotFound
from models.errors import StoreError
from models.finding.quality_file import QUALITY_FILE
from models.formats.folder_config import config_folder, named_graph
from models.store.store import ModelStore

GRAPH_FILE = "model.onnx"
_KEPT_SUFFIXES = (".json", ".jinja", ".txt", ".model")
_MAX_CONFIG_BYTES = 64 * 2**20
_USUAL_GRAPHS = ("onnx/model.onnx", GRAPH_FILE)


def find_graph(model: str, home: Path) -> tuple[Path, str]:
    """Return the graph of a model, a folder or a graph's file, and what to call things made of it.

    Raises: ModelNotFound, InvalidRequest.
    """
    if not model.startswith("/"):
        return _graph_in_store(model, home)
    path = Path(model)
    if path.is_dir():
        return _graph_in(path), path.name
    if not path.is_file():
        raise ModelNotFound(f"{path} does not exist", param="model")
    return path, config_folder(path).name


def copy_configuration(source: Path, folder: Path) -> str:
    """Copy what tells of the model beside the graph `source` and return the name that its new graph must have."""
    origin = config_folder(source)
    for path in _configuration(origin):
        target = folder / path.relative_to(origin)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return Path(named_graph(origin) or GRAPH_FILE).name


def _configuration(folder: Path) -> Iterator[Path]:
    for path in (*folder.glob("*"), *folder.glob("*/*.json")):
        is_text = path.suffix in _KEPT_SUFFIXES and path.name != QUALITY_FILE
        if is_text and path.is_file() and path.stat().st_size <= _MAX_CONFIG_BYTES:
            yield path


def _graph_in_store(name: str, home: Path) -> tuple[Path, str]:
    store = ModelStore(home)
    manifest = store.get(name)
    if manifest is None:
        raise ModelNotFound(f"no model is called {name!r}; see: appliance models list", param="model")
    if manifest.format != "onnx":
        raise InvalidRequest(
            f"{name!r} is a {manifest.format} file, which is quantized when it is made; "
            "give a folder of its float weights to 'appliance models convert' instead",
            param="model",
        )
    try:
        return store.opened_path(manifest), manifest.name.rpartition("/")[2]
    except StoreError as error:
        raise InvalidRequest(str(error)) from None


def _graph_in(folder: Path) -> Path:
    names = [name for name in (named_graph(folder), *_USUAL_GRAPHS) if name and (folder / name).is_file()]
    found = [folder / name for name in names[:1]] or sorted(folder.glob("*.onnx"))
    if len(found) != 1:
        raise InvalidRequest(f"{folder} has {len(found)} ONNX graphs; name the file of the one with float weights")
    return found[0]

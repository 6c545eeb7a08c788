"""A graph that was prepared for serving: made once when a model is taken in, kept in a folder of its own.

The folder holds `graph.onnx`, without weights, and `layout.json`. Weights stay in the files they came in, the graph's
own among them.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from appliance.backends.onnx.layout import DecoderLayout, EncoderLayout
from appliance.errors import BackendError
from models.files import replace_atomically
from models.formats.folder_config import config_folder, read_folder_config

GRAPH_FILE, LAYOUT_FILE = "graph.onnx", "layout.json"
FORMAT = 2  # grows when a prepared graph changes, so that older ones are made anew


class _Description(msgspec.Struct, frozen=True, kw_only=True):
    """`files` are those that it was made of, with their stamps: a file that changed or went makes it worthless."""

    format: int
    source: str
    files: dict[str, tuple[int, int]]
    weights_folder: str | None
    graph_digest: str
    layout: DecoderLayout | EncoderLayout


@dataclass(frozen=True, slots=True)
class Prepared:
    """The graph to load, the folder its weights are mapped from, and what it is."""

    graph: Path
    weights_folder: Path | None
    layout: DecoderLayout | EncoderLayout

    @property
    def decoder(self) -> DecoderLayout:
        """Return the layout of what is known to be a decoder. Raises: BackendError, if it is none."""
        if isinstance(self.layout, EncoderLayout):
            raise BackendError(f"{self.graph} embeds or scores; it generates no text")
        return self.layout

    @property
    def encoder(self) -> EncoderLayout:
        """Return the layout of what is known to be an encoder. Raises: BackendError, if it is none."""
        if isinstance(self.layout, DecoderLayout):
            raise BackendError(f"{self.graph} generates text; it computes no embeddings")
        return self.layout


def folder_in(compiled: Path) -> Path:
    """Return the folder for the prepared graph below that of everything made of a model."""
    return compiled / f"onnx-{FORMAT}"


def open_prepared(source: Path, folder: Path) -> Prepared | None:
    """Return what an earlier `prepare` left in `folder`; None if it is not there, damaged, or made of another file."""
    try:
        found = msgspec.json.decode((folder / LAYOUT_FILE).read_bytes(), type=_Description)
        graph_digest = digest_of((folder / GRAPH_FILE).read_bytes())
        is_fresh = all(_stamp(Path(path)) == stamp for path, stamp in found.files.items())
    except (OSError, msgspec.MsgspecError):
        return None
    if (found.format, found.source, found.graph_digest) != (FORMAT, str(source), graph_digest) or not is_fresh:
        return None
    weights = Path(found.weights_folder) if found.weights_folder else None
    return Prepared(folder / GRAPH_FILE, weights, found.layout)


def prepare(source: Path, folder: Path) -> Prepared:
    """Prepare the model in the file `source` into `folder`. Raises: BackendError, naming everything that is missing.

    The description is written last, so that a folder without one is not yet, or no longer, of use.
    """
    from appliance.backends.onnx.encoder_graph import describe_encoder, is_encoder
    from appliance.backends.onnx.graph import NotServable, move_weights, prepare_decoder, read_graph
    from appliance.backends.onnx.inside import point_inside

    files = {str(source)}

    def resolve(location: str) -> Path:
        path = (source.parent / location).resolve(strict=True)
        files.add(str(path))
        return path

    try:
        model = read_graph(source)
        point_inside(model.graph, source)
        layout: DecoderLayout | EncoderLayout
        if is_encoder(model):
            layout = describe_encoder(model)
        else:
            layout = prepare_decoder(model, read_folder_config(config_folder(source)).head_width)
        weights = move_weights(model, resolve)
        stamps = {path: _stamp(Path(path)) for path in sorted(files)}
    except NotServable as error:
        raise BackendError(f"{source} cannot be served: {error}") from None
    except OSError as error:
        raise BackendError(f"the weights of {source} are incomplete: {error.filename} is missing") from None
    folder.mkdir(parents=True, exist_ok=True)
    content = model.SerializeToString()
    write_whole(folder / GRAPH_FILE, content)
    description = _Description(
        format=FORMAT,
        source=str(source),
        files=stamps,
        weights_folder=str(weights) if weights else None,
        graph_digest=digest_of(content),
        layout=layout,
    )
    write_whole(folder / LAYOUT_FILE, msgspec.json.encode(description))
    return Prepared(folder / GRAPH_FILE, weights, layout)


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever reads half of it."""
    with replace_atomically(path) as stream:
        stream.write(content)

"""The variant of a prepared decoder that keeps keys and values in 8 bits: made once in a child, opened by workers.

It lies in a folder of its own beside the prepared graph, with what it cost. Opening needs no library.
"""

from pathlib import Path

import msgspec

from appliance.backends.onnx.child import run_child
from appliance.backends.onnx.layout import DecoderLayout
from appliance.backends.onnx.prepared import GRAPH_FILE, LAYOUT_FILE, Prepared, digest_of, write_whole
from appliance.errors import BackendError
from models.manifest import ModelQuality

MAX_LOSS_RATIO = 0.05
_FOLDER, _DESCRIPTION_FILE = "kv-int8", "kv.json"
_TIMEOUT_S = 540.0  # a little less than a load may take by default


class _Description(msgspec.Struct, frozen=True, kw_only=True):
    """`made_of` is the digest of the prepared graph's description, which names its files and their stamps."""

    made_of: str
    graph_digest: str
    layout: DecoderLayout
    quality: ModelQuality


def with_calibrated_cache(base: Prepared, source: Path, num_threads: int) -> Prepared:
    """Return the variant of what was prepared from `source`, calibrated now if it was not before.

    Raises: BackendError, when that fails or costs too much.
    """
    found = _open(base)
    if found is None:
        run_child(
            "appliance.backends.onnx.kv_calibration",
            (str(source), str(num_threads), str(base.graph.parent)),
            _TIMEOUT_S,
        )
        found = _open(base)
    if found is None:
        raise BackendError(f"the model at {source} changed while its KV cache was calibrated; load it again")
    _check_loss(source, found.quality)
    return Prepared(_folder(base) / GRAPH_FILE, base.weights_folder, found.layout)


def write_variant(base: Prepared, graph: bytes, layout: DecoderLayout) -> Prepared:
    """Write the graph alone, which may then be measured; without a description nobody opens it."""
    folder = _folder(base)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _DESCRIPTION_FILE).unlink(missing_ok=True)
    write_whole(folder / GRAPH_FILE, graph)
    return Prepared(folder / GRAPH_FILE, base.weights_folder, layout)


def describe_variant(base: Prepared, variant: Prepared, quality: ModelQuality) -> None:
    """Write what makes the variant complete; one that costs too much is kept, too, so that nobody tries again."""
    description = _Description(
        made_of=_digest_of_base(base),
        graph_digest=digest_of(variant.graph.read_bytes()),
        layout=variant.decoder,
        quality=quality,
    )
    write_whole(variant.graph.with_name(_DESCRIPTION_FILE), msgspec.json.encode(description))


def _open(base: Prepared) -> _Description | None:
    folder = _folder(base)
    try:
        found = msgspec.json.decode((folder / _DESCRIPTION_FILE).read_bytes(), type=_Description)
        is_whole = found.graph_digest == digest_of((folder / GRAPH_FILE).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None
    return found if is_whole and found.made_of == _digest_of_base(base) else None


def _check_loss(source: Path, quality: ModelQuality) -> None:
    if quality.loss_ratio > MAX_LOSS_RATIO:
        raise BackendError(
            f"{source}: a KV cache of 8 bits makes it {quality.loss_ratio:.1%} worse, "
            f"{MAX_LOSS_RATIO:.0%} are allowed; "
            'set engine.kv_type = "auto"'
        )


def _folder(base: Prepared) -> Path:
    return base.graph.with_name(_FOLDER)


def _digest_of_base(base: Prepared) -> str:
    return digest_of(base.graph.with_name(LAYOUT_FILE).read_bytes())

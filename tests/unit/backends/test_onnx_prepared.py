"""Prepared folders: made once, trusted only while nothing they were made of has changed, next to weights anywhere."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest

from appliance.backends.base import Batch, LogitsArray, Run
from appliance.backends.loading import open_backend
from appliance.backends.onnx.prepared import GRAPH_FILE, LAYOUT_FILE, folder_in, open_prepared, prepare
from appliance.errors import BackendError
from tests.onnx_shapes import decoder_model, save, write_decoder
from tests.unit.backends.plans import plan_of


def row_of(graph: Path, compiled: Path) -> LogitsArray:
    plan = plan_of("onnx", "onnx", str(graph), compiled_path=str(compiled))
    model = open_backend("onnx").load(plan, lambda ratio: None)
    row = model.step(Batch((Run(0, 0, np.arange(40, 60, dtype=np.int32), 1),))).logits[0][0].copy()
    model.close()
    return row


def link_into_a_cache(folder: Path, cache: Path) -> Path:
    """Move a folder's files to `blobs/` under hashed names and return a folder of links, as Hugging Face's cache is."""
    blobs, revision = cache / "blobs", cache / "snapshots" / "0f3a"
    blobs.mkdir(parents=True)
    for number, file in enumerate(sorted(path for path in folder.rglob("*") if path.is_file())):
        link = revision / file.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        blob = file.rename(blobs / f"{number:064x}")
        link.symlink_to(os.path.relpath(blob, link.parent))
    return revision


@pytest.mark.parametrize("is_external", [True, False], ids=["weights beside the graph", "weights in the graph"])
def test_a_cache_of_links_is_served_where_it_lies(tmp_path: Path, is_external: bool) -> None:
    graph = write_decoder(tmp_path / "plain", layout="transformers.js", external=is_external)
    expected = row_of(graph, tmp_path / "first")
    cached = link_into_a_cache(tmp_path / "plain", tmp_path / "hub")
    np.testing.assert_array_equal(row_of(cached / "onnx" / "model_q4.onnx", tmp_path / "second"), expected)


def test_weights_are_copied_nowhere(tmp_path: Path) -> None:
    for layout, is_external in (("genai", True), ("genai", False)):
        folder = tmp_path / f"{layout}-{is_external}"
        graph = write_decoder(folder, external=is_external)
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        prepared = prepare(graph, tmp_path / "compiled" / folder.name)
        assert prepared.graph.stat().st_size < 40_000 < sum(map(len, before.values())) / 4
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_weights_in_the_graphs_own_file_are_found_wherever_they_begin(tmp_path: Path) -> None:
    model = decoder_model()
    expected = row_of(save(model, write_decoder(tmp_path / "model"), None), tmp_path / "compiled")
    for length in (1, 2, 3, 200):
        model.doc_string = "x" * length
        graph = save(model, tmp_path / "model" / "model.onnx", None)
        np.testing.assert_array_equal(row_of(graph, tmp_path / "compiled"), expected)


def test_a_prepared_folder_is_found_again(tmp_path: Path) -> None:
    graph = write_decoder(tmp_path / "model")
    made = prepare(graph, tmp_path / "compiled")
    assert open_prepared(graph, tmp_path / "compiled") == made


@pytest.mark.parametrize("damage", ["no layout", "layout cut", "no graph", "graph changed", "source changed", "moved"])
def test_a_prepared_folder_that_is_damaged_or_stale_is_made_anew(tmp_path: Path, damage: str) -> None:
    graph, compiled = write_decoder(tmp_path / "model"), tmp_path / "compiled"
    folder = folder_in(compiled)
    expected = row_of(graph, compiled)
    match damage:
        case "no layout":
            (folder / LAYOUT_FILE).unlink()
        case "layout cut":
            (folder / LAYOUT_FILE).write_bytes((folder / LAYOUT_FILE).read_bytes()[:-20])
        case "no graph":
            (folder / GRAPH_FILE).unlink()
        case "graph changed":
            content = bytearray((folder / GRAPH_FILE).read_bytes())
            content[len(content) // 2] ^= 1
            (folder / GRAPH_FILE).write_bytes(content)
        case "source changed":
            write_decoder(tmp_path / "model", seed=1)
        case "moved":
            graph = (tmp_path / "model").rename(tmp_path / "elsewhere") / graph.name
    assert open_prepared(graph, folder) is None
    row = row_of(graph, compiled)
    assert np.array_equal(row, expected) is (damage != "source changed")
    assert open_prepared(graph, folder) is not None


def test_weights_that_are_gone_are_named(tmp_path: Path) -> None:
    graph = write_decoder(tmp_path / "model")
    row_of(graph, tmp_path / "compiled")
    (tmp_path / "model" / "model.onnx.data").unlink()
    with pytest.raises(
        BackendError, match=r"the weights of .*model\.onnx are incomplete: .*model\.onnx\.data is missing"
    ):
        row_of(graph, tmp_path / "compiled")


def test_weights_in_two_folders_are_refused(tmp_path: Path) -> None:
    graph = write_decoder(tmp_path / "model")
    model = onnx.load(str(graph), load_external_data=False)
    (tmp_path / "model" / "more").mkdir()
    (tmp_path / "model" / "more" / "part.data").write_bytes((tmp_path / "model" / "model.onnx.data").read_bytes())
    model.graph.initializer[-1].external_data[0].value = "more/part.data"
    graph.write_bytes(model.SerializeToString())
    with pytest.raises(BackendError, match="the weights lie in 2 folders; they must lie in one"):
        prepare(graph, tmp_path / "compiled")

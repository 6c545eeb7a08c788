"""Files that can run a program are told by their bytes, whatever their names; models' own files are not."""

import contextlib
import gzip
import io
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.embedded import EMBEDDED_PATH
from models.errors import StoreError
from models.formats.refusal import RefusedFormat, check_content, refused_name
from models.store.store import ModelStore

WEIGHTS = OrderedDict(a=[1.0, 2.0], b=Path("x"))


class Evil:
    """What a pickle can do: call anything."""

    def __reduce__(self) -> tuple[object, ...]:
        return print, ("run",)


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return stream.getvalue()


def tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights"))
    return stream.getvalue()


def numpy_file() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([Evil()], dtype=object), allow_pickle=True)
    return stream.getvalue()


TORCH_LEGACY = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        *((pickle.dumps(WEIGHTS, protocol), "pickle") for protocol in range(6)),
        *((pickle.dumps(Evil(), protocol), "pickle") for protocol in range(6)),
        (pickle.dumps({"a": 1}, 4)[:-3], "pickle"),
        (TORCH_LEGACY, "PyTorch file of the old form"),
        (zipped("archive/data.pkl", "archive/data/0"), "a PyTorch file"),
        (zipped("config.json", "model.weights.h5"), "a Keras file"),
        (zipped("a.npy"), "NumPy arrays"),
        (zipped("readme.txt"), "a ZIP archive"),
        (zipped("a")[:20], "a damaged ZIP archive"),
        (b"PK\x03\x04" + bytes(60), "a damaged ZIP archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
        (bytes(512) + b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
        (gzip.compress(pickle.dumps(WEIGHTS)), "compressed by gzip"),
        (numpy_file(), "a NumPy array"),
        (tar(), "a tar archive"),
        (b"\x7fELF" + bytes(60), "a program"),
    ],
)
def test_what_can_run_a_program_is_refused_under_any_name(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    with pytest.raises(RefusedFormat, match=words) as caught:
        check_content(path)
    assert "take the same model as GGUF" in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GGUF\x03\x00\x00\x00",
        b"\x08\x07\x12\x07pytorch",
        b'\x40\x00\x00\x00\x00\x00\x00\x00{"__metadata__":{}}',
        b'{"model_type": "llama"}',
        b"[1, 2]",
        b"(a sentence in brackets)\n",
        b"cat\ndog\n",
        b"]",
    ],
)
def test_what_models_are_made_of_is_not(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    check_content(path)
    check_content(EMBEDDED_PATH)


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "a.PTH", "x.ckpt", "w.pkl", "k.h5", "k.keras", "a.npz"]
)
def test_names_of_such_files_are_known(name: str) -> None:
    assert "GGUF, ONNX or safetensors" in str(refused_name(name))


@pytest.mark.parametrize(
    "name", ["model.gguf", "model.onnx", "model.onnx.data", "model.safetensors", "config.json", "bin"]
)
def test_other_names_are_left_to_their_bytes(name: str) -> None:
    assert refused_name(name) is None


@given(data=st.binary(max_size=600))
def test_any_bytes_are_judged(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(data)
    with contextlib.suppress(RefusedFormat):
        check_content(path)


def test_a_pickle_never_becomes_a_model(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(StoreError, match="runs whatever its maker wrote"):
        list(ModelStore(tmp_path / "home").add(path, None, False, 0.0))


def test_a_folder_of_pickles_is_refused_by_their_name(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(StoreError, match=r"pytorch_model\.bin: files in \.bin can hold"):
        list(ModelStore(tmp_path / "home").add(folder, None, False, 0.0))


@pytest.mark.parametrize(("policy", "is_allowed"), [(("*",), True), (("open",), True), (("mit",), False)])
def test_a_file_whose_licence_is_not_allowed_is_not_taken_in(
    tmp_path: Path, policy: tuple[str, ...], is_allowed: bool
) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(EMBEDDED_PATH.read_bytes())
    store = ModelStore(tmp_path / "home", None, policy)
    if is_allowed:
        list(store.add(path, None, False, 0.0))
    else:
        with pytest.raises(StoreError, match=r"refused: the licence apache-2\.0 is not in models\.allowed_licences"):
            list(store.add(path, None, False, 0.0))
    assert (store.get("tiny") is not None) is is_allowed

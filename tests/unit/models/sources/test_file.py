"""A model on a disk of this machine or on a stick."""

import hashlib
import os
from pathlib import Path

import pytest

from models.sources.base import RemoteModel, SourceError
from models.sources.file import FileSource


def resolve(path: Path | str) -> RemoteModel:
    return FileSource().resolve(str(path))


def write(folder: Path, **files: bytes) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def test_a_file_is_found_with_its_size_and_the_digest_beside_it(tmp_path: Path) -> None:
    write(
        tmp_path, **{"my model.gguf": b"12345", "my model.gguf.sha256": hashlib.sha256(b"12345").hexdigest().encode()}
    )
    model = resolve(tmp_path / "my model.gguf")
    (file,) = model.files
    assert (file.name, file.size_bytes, file.sha256) == ("my model.gguf", 5, hashlib.sha256(b"12345").hexdigest())
    assert file.url == (tmp_path / "my model.gguf").as_uri()
    assert (model.kind, model.reference, model.stem) == ("file", str(tmp_path / "my model.gguf"), "my model")
    assert resolve(file.url).files == model.files


def test_a_list_of_digests_on_the_stick_counts_for_each_file(tmp_path: Path) -> None:
    sums = f"{'a' * 64}  one.gguf\n{'b' * 64}  two.gguf\n".encode()
    write(tmp_path, **{"one.gguf": b"1", "two.gguf": b"2", "SHA256SUMS": sums})
    assert resolve(tmp_path / "two.gguf").files[0].sha256 == "b" * 64


def test_the_parts_of_a_split_file_are_found_beside_it(tmp_path: Path) -> None:
    parts = [f"m-{number:05}-of-00002.gguf" for number in (1, 2)]
    write(tmp_path, **dict.fromkeys([*parts, "other.gguf"], b"x"))
    assert [file.name for file in resolve(tmp_path / parts[1]).files] == parts
    (tmp_path / parts[0]).unlink()
    with pytest.raises(SourceError, match="2 parts, and 1 are there"):
        resolve(tmp_path / parts[1])


def test_a_folder_with_one_model_is_that_model(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{"onnx/model_q4.onnx": b"g", "tokenizer.json": b"{}", "config.json": b"{}", ".hidden": b"", "x.bin": b"p"},
    )
    model = resolve(tmp_path)
    assert [file.name for file in model.files] == ["onnx/model_q4.onnx", "config.json", "tokenizer.json"]
    assert model.stem == tmp_path.name


def test_a_folder_with_many_models_is_no_model(tmp_path: Path) -> None:
    write(tmp_path, **{"a-Q4_0.gguf": b"1", "b-Q4_0.gguf": b"2"})
    with pytest.raises(SourceError, match="name one"):
        resolve(tmp_path)


@pytest.mark.parametrize(
    ("name", "says"), [("m.bin", "can run a program"), ("m.onnx", "name their folder"), ("m", "name their folder")]
)
def test_other_single_files_are_refused(tmp_path: Path, name: str, says: str) -> None:
    write(tmp_path, **{name: b"x"})
    with pytest.raises(SourceError, match=says):
        resolve(tmp_path / name)


def test_what_is_not_there_or_no_file_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        resolve(tmp_path / "none.gguf")
    with pytest.raises(SourceError, match="no whole path"):
        resolve("./m.gguf")
    with pytest.raises(SourceError, match="no whole path"):
        resolve("~/m.gguf")
    os.mkfifo(tmp_path / "pipe.gguf")
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        resolve(tmp_path / "pipe.gguf")


def test_a_folder_of_a_whole_disk_is_not_walked_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.sources.file._MAX_LISTED", 3)
    write(tmp_path, **{f"{number}.txt": b"" for number in range(5)})
    with pytest.raises(SourceError, match="more than 3 files"):
        resolve(tmp_path)


def test_links_between_folders_are_not_followed_round_and_round(tmp_path: Path) -> None:
    write(tmp_path, **{"m.gguf": b"1"})
    (tmp_path / "again").symlink_to(tmp_path)
    assert [file.name for file in resolve(tmp_path).files] == ["m.gguf"]

"""Names of files that a source gives: nothing in them is trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sources.base import RemoteFile, SourceError
from models.sources.file_names import MAX_FILES, checked, is_pickle, is_usable


def files(*names: str) -> list[RemoteFile]:
    return [RemoteFile(name=name, url="https://hub.example/x") for name in names]


OUTSIDE = ["", "/x", "x/", "a//b", ".", "..", "a/..", "../x", "...", "a/ /b", "a\\b", "a\0b", "a\nb", "a\x7fb"]
HIDDEN = [" x", "x ", ".x", "\u202egpj.x", "x" * 201, "/".join(["x" * 150] * 4), chr(0xD800)]


@pytest.mark.parametrize("name", [*OUTSIDE, *HIDDEN])
def test_names_that_lead_out_or_hide_something_are_not(name: str) -> None:
    assert not is_usable(name)
    with pytest.raises(SourceError):
        checked(files("config.json", name))


def test_names_that_are_one_on_another_system_are_refused() -> None:
    with pytest.raises(SourceError, match=r"'Model\.gguf' and 'model\.gguf' cannot lie in one folder"):
        checked(files("Model.gguf", "model.gguf"))


def test_a_file_cannot_be_a_folder_too() -> None:
    with pytest.raises(SourceError, match="at the place of a folder"):
        checked(files("onnx", "onnx/model.onnx"))


def test_a_model_has_a_bounded_number_of_files() -> None:
    assert len(checked(files(*map(str, range(MAX_FILES))))) == MAX_FILES
    with pytest.raises(SourceError, match=f"at most {MAX_FILES}"):
        checked(files(*map(str, range(MAX_FILES + 1))))


@given(st.text(max_size=40))
def test_a_usable_name_stays_below_its_folder(name: str) -> None:
    if is_usable(name):
        assert ".." not in name.split("/") and not name.startswith("/") and "\0" not in name


def test_pickles_are_told_by_their_names() -> None:
    assert is_pickle("a/PYTORCH_MODEL.BIN") and is_pickle("x.pt")
    assert not is_pickle("bin.gguf") and not is_pickle("tokenizer.json")

"""The JSON files beside a model: whatever is in them, the reader says nothing worse than that it knows nothing."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.formats import json_file
from models.formats.encoder_config import read_encoder_config
from models.formats.folder_config import read_chat_template, read_folder_config
from models.formats.json_file import read_json_file


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert read_json_file(tmp_path / "a.json", dict[str, Any]) == {"a": 1}


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b'{"a": "\xff"}', b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"a":1e999999}'],
    ids=["empty", "cut", "a list", "no UTF-8", "deep", "infinite"],
)
def test_what_cannot_be_read_says_nothing(tmp_path: Path, data: bytes) -> None:
    for name in ("config.json", "genai_config.json", "tokenizer_config.json", "modules.json"):
        (tmp_path / name).write_bytes(data)
    assert read_json_file(tmp_path / "config.json", dict[str, Any]) is None
    assert read_folder_config(tmp_path).num_layers is None
    assert read_encoder_config(tmp_path).pooling == "mean"
    assert read_chat_template(tmp_path) is None


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_file, "MAX_BYTES", 5)
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert read_json_file(tmp_path / "a.json", dict[str, Any]) is None


def test_a_pipe_that_nobody_writes_to_does_not_stop_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    assert read_json_file(tmp_path / "config.json", dict[str, Any]) is None


@pytest.mark.parametrize("path", ["../elsewhere", "..", "/elsewhere", "a\\b"])
def test_a_step_of_an_encoder_lies_in_its_own_folder(tmp_path: Path, path: str) -> None:
    model, elsewhere = tmp_path / "model", tmp_path / "elsewhere"
    for folder in (model, elsewhere):
        folder.mkdir()
    steps = [{"type": "x.Pooling", "path": path}]
    (model / "modules.json").write_bytes(msgspec.json.encode(steps))
    for folder in (tmp_path, elsewhere):
        (folder / "config.json").write_text('{"pooling_mode_cls_token": true}')
    assert read_encoder_config(model).pooling == "mean"

"""What a model's files say of themselves beyond its manifest."""

import json
from pathlib import Path

import msgspec
import pytest

from models.embedded import EMBEDDED_PATH, embedded_manifest
from models.errors import StoreError
from models.finding.facts import read_facts
from models.formats.gguf_writer import write_gguf
from models.manifest import ModelDetails, ModelManifest


def manifest(format: str = "gguf", **details: object) -> ModelManifest:
    return msgspec.structs.replace(embedded_manifest(), format=format, details=ModelDetails(**details))


def test_a_gguf_shows_its_metadata_but_neither_its_vocabulary_nor_its_template() -> None:
    facts = read_facts(embedded_manifest(), EMBEDDED_PATH)
    assert facts.metadata["llama.context_length"] == 2048
    assert facts.metadata["tokenizer.ggml.tokens"] is None
    assert "tokenizer.chat_template" not in facts.metadata
    assert facts.metadata["general.parameter_count"] == embedded_manifest().details.num_parameters
    assert facts.template is not None
    assert not facts.fills_gaps


@pytest.mark.parametrize(
    ("more", "fills_gaps"),
    [
        ({}, False),
        ({"tokenizer.ggml.fim_pre_token_id": 1}, True),
        ({"tokenizer.ggml.prefix_token_id": 1}, True),
        ({"tokenizer.ggml.tokens": ["a", "<|fim_prefix|>"]}, True),
        ({"tokenizer.ggml.tokens": ["a", "b"]}, False),
    ],
)
def test_a_vocabulary_with_markers_of_a_gap_fills_it(tmp_path: Path, more: dict[str, object], fills_gaps: bool) -> None:
    path = tmp_path / "a.gguf"
    write_gguf(path, {"general.architecture": "qwen2"} | more, [])
    facts = read_facts(manifest(), path)
    assert facts.fills_gaps == fills_gaps
    assert facts.template is None


def test_a_folder_says_it_in_ggufs_words(tmp_path: Path) -> None:
    graph = tmp_path / "onnx" / "model.onnx"
    graph.parent.mkdir()
    graph.touch()
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"content": "<|fim_prefix|>"}]}))
    (tmp_path / "chat_template.jinja").write_text("{{ tools }}")
    folder = manifest("onnx", architecture="qwen2", context_length_tokens=512, num_layers=2, num_parameters=7)
    facts = read_facts(folder, graph)
    assert facts.metadata == {
        "general.architecture": "qwen2",
        "general.parameter_count": 7,
        "qwen2.context_length": 512,
        "qwen2.block_count": 2,
    }
    assert (facts.template, facts.fills_gaps) == ("{{ tools }}", True)


def test_a_file_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"gone\.gguf cannot be read"):
        read_facts(manifest(), tmp_path / "gone.gguf")

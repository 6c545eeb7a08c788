"""What is read of the files beside a graph."""

from pathlib import Path
from typing import Any

import msgspec

from models.formats.folder_config import (
    FolderConfig,
    config_folder,
    named_graph,
    read_chat_template,
    read_folder_config,
)


def write(folder: Path, **files: Any) -> Path:
    for name, content in files.items():
        (folder / f"{name}.json").write_bytes(msgspec.json.encode(content))
    return folder


DECODER = {"hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2}


def test_genai_s_configuration_tells_shape_tokens_and_graph(tmp_path: Path) -> None:
    model = {"type": "qwen2", "context_length": 32768, "vocab_size": 151936, "bos_token_id": 7, "eos_token_id": [8, 9]}
    decoder = {**DECODER, "head_size": 64, "filename": "model.onnx"}
    write(tmp_path, genai_config={"model": {**model, "decoder": decoder}})
    assert read_folder_config(tmp_path) == FolderConfig(
        architecture="qwen2",
        context_length_tokens=32768,
        embedding_length=896,
        num_layers=24,
        num_heads=14,
        num_kv_heads=2,
        head_width=64,
        vocab_size=151936,
        bos_id=7,
        eos_ids=frozenset({8, 9}),
    )
    assert named_graph(tmp_path) == "model.onnx"


def test_hugging_face_s_leaves_the_width_of_a_head_to_arithmetic_and_the_end_to_the_generation_config(
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        config={**DECODER, "model_type": "qwen2", "eos_token_id": 3, "intermediate_size": 4864},
        generation_config={"eos_token_id": [1, 2]},
    )
    config = read_folder_config(tmp_path)
    assert (config.head_width, config.feed_forward_length, config.eos_ids) == (64, 4864, frozenset({1, 2}))


def test_a_model_that_sees_keeps_the_shape_inside(tmp_path: Path) -> None:
    write(tmp_path, config={"model_type": "gemma3", "text_config": {**DECODER, "head_dim": 256}})
    config = read_folder_config(tmp_path)
    assert (config.architecture, config.num_layers, config.head_width) == ("gemma3", 24, 256)


def test_what_is_missing_damaged_or_of_another_type_is_unknown(tmp_path: Path) -> None:
    assert read_folder_config(tmp_path) == FolderConfig()
    (tmp_path / "config.json").write_text('{"hidden_size": ')
    assert read_folder_config(tmp_path) == FolderConfig()
    write(tmp_path, config={"hidden_size": "wide", "vocab_size": True, "eos_token_id": None})
    assert read_folder_config(tmp_path) == FolderConfig()


def test_a_template_is_a_file_or_a_field_or_the_default_of_several(tmp_path: Path) -> None:
    assert read_chat_template(tmp_path) is None
    several = [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "plain"}]
    write(tmp_path, tokenizer_config={"chat_template": several})
    assert read_chat_template(tmp_path) == "plain"
    write(tmp_path, tokenizer_config={"chat_template": "field"})
    assert read_chat_template(tmp_path) == "field"
    (tmp_path / "chat_template.jinja").write_text("file")
    assert read_chat_template(tmp_path) == "file"


def test_the_configuration_lies_beside_the_graph_or_above_it(tmp_path: Path) -> None:
    graph = tmp_path / "onnx" / "model_q4.onnx"
    graph.parent.mkdir()
    write(tmp_path, config={})
    assert config_folder(graph) == tmp_path
    write(graph.parent, config={})
    assert config_folder(graph) == graph.parent

"""What the files beside an encoder mean."""

from pathlib import Path

import msgspec
import pytest

from models.formats.encoder_config import EncoderConfig, read_encoder_config


def read(folder: Path, **files: object) -> EncoderConfig:
    """Write each file by its name, `__` for a folder and without `.json`, and read them."""
    for name, content in files.items():
        path = folder / f"{name.replace('__', '/').lstrip('/')}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(content))
    return read_encoder_config(folder)


def steps(*names: str) -> list[dict[str, str]]:
    return [{"type": f"sentence_transformers.models.{name}", "path": f"{n}_{name}"} for n, name in enumerate(names)]


def test_an_empty_folder_means_the_mean_as_in_sentence_transformers(tmp_path: Path) -> None:
    assert read_encoder_config(tmp_path) == EncoderConfig()


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_cls_token": True}, "cls"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": "lasttoken"}, "last"),
    ],
)
def test_pooling_is_read_in_the_older_and_the_newer_form(
    tmp_path: Path, pooling: dict[str, object], expected: str
) -> None:
    config = read(tmp_path, modules=steps("Transformer", "Pooling"), **{"1_Pooling__config": pooling})
    assert (config.pooling, config.is_normalized, config.unsupported) == (expected, False, ())


@pytest.mark.parametrize(
    ("pooling", "words"),
    [
        ({"pooling_mode_max_tokens": True}, "max"),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}, "several"),
        ({"pooling_mode_mean_tokens": True, "include_prompt": False}, "instruction"),
    ],
)
def test_a_pooling_that_is_not_computed_is_named(tmp_path: Path, pooling: dict[str, object], words: str) -> None:
    config = read(tmp_path, modules=steps("Transformer", "Pooling"), **{"1_Pooling__config": pooling})
    assert words in " ".join(config.unsupported)


def test_the_smallest_limit_counts_and_the_offset_of_positions(tmp_path: Path) -> None:
    files = {"config": {"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1}}
    files["tokenizer_config"] = {"model_max_length": 10**30}
    config = read(tmp_path, **files)
    assert (config.max_tokens, config.pad_id) == (512, 1)
    assert read(tmp_path, sentence_bert_config={"max_seq_length": 256}).max_tokens == 256


def test_instructions_and_labels_are_kept_by_their_names(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        config={"architectures": ["BertForSequenceClassification"], "id2label": {"0": "no", "1": "yes"}},
        config_sentence_transformers={"prompts": {"query": "find: "}, "default_prompt_name": "query"},
    )
    assert (config.prompts, config.default_prompt, config.labels) == ({"query": "find: "}, "query", ("no", "yes"))
    (tmp_path / "config.json").write_bytes(b'{"architectures": ["BertForSequenceClassification"], "num_labels": 1}')
    assert read_encoder_config(tmp_path).labels == ("LABEL_0",)

"""Tokenizers of a folder, converted: llama.cpp finds the same tokens, or the folder is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import Regex, models, pre_tokenizers, trainers

from appliance.backends.held_out import texts
from appliance.backends.llama_cpp.convert_job import check_tokens
from appliance.errors import InvalidRequest
from models.formats.gguf import read_gguf
from models.formats.gguf_writer import Value, write_gguf
from models.to_gguf import pre_tokenizers as known
from models.to_gguf.refusal import NotConvertible
from models.to_gguf.vocabulary import vocabulary_metadata

TEST_TEXT = Path(check_tokens.__code__.co_filename).with_name("tokenizer_test.txt").read_text(encoding="utf-8")
PIECES_NORMALIZER = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ],
}
STEPS = {
    "bytes": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    "words and bytes": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    "digits": lambda: pre_tokenizers.Digits(individual_digits=True),
}


def write_vocabulary(folder: Path, tokenizer: Any) -> Path:
    """Write a tokenizer and a GGUF file that is nothing but the same vocabulary."""
    (folder / "tokenizer.json").write_text(tokenizer if isinstance(tokenizer, str) else tokenizer.to_str())
    vocab_size = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size() + 3
    sizes: dict[str, Value] = {"vocab_size": vocab_size, "context_length": 64, "embedding_length": 32}
    sizes |= {"block_count": 1, "feed_forward_length": 32, "attention.head_count": 1}
    sizes |= {"attention.layer_norm_rms_epsilon": 1e-6}
    keys = {"general.architecture": "llama", **{f"llama.{key}": value for key, value in sizes.items()}}
    write_gguf(folder / "v.gguf", keys | vocabulary_metadata(folder, vocab_size), [])
    return folder / "v.gguf"


def byte_level(steps: tuple[tuple[str, ...], ...], ignores_merges: bool) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.BPE(ignore_merges=ignores_merges))
    parts = [
        pre_tokenizers.Split(Regex(step[1]), "isolated") if step[0] == "split" else STEPS[step[0]]() for step in steps
    ]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=1500, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([*texts(), TEST_TEXT], trainer)
    tokenizer.add_special_tokens(["<|begin|>", "<|end|>"])
    tokenizer.add_tokens(["<think>"])
    return tokenizer


def pieces(**changes: Any) -> str:
    """Return a tokenizer as Llama 2 has it: letters, the rest by bytes."""
    tokenizer = tokenizers.Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    first = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=first, show_progress=False, limit_alphabet=200)
    tokenizer.train_from_iterator(texts(), trainer)
    said = json.loads(tokenizer.to_str())
    said["added_tokens"] = said["added_tokens"][:3]
    return json.dumps(said | {"pre_tokenizer": None, "normalizer": PIECES_NORMALIZER} | changes)


@pytest.mark.parametrize("key", known._NAMES, ids=lambda key: known._NAMES[key])
def test_llama_cpp_splits_as_a_known_tokenizer_does(
    key: tuple[tuple[tuple[str, ...], ...], bool], tmp_path: Path
) -> None:
    path = write_vocabulary(tmp_path, byte_level(*key))

    assert read_gguf(path).metadata["tokenizer.ggml.pre"] == known._NAMES[key]
    if known._NAMES[key] == "tekken":  # whose letters llama.cpp knows without their marks, as Hindi has them
        with pytest.raises(InvalidRequest, match="in other tokens"):
            check_tokens(tmp_path, path)
    else:
        check_tokens(tmp_path, path)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "normalizer": None,
            "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False},
        },
    ],
    ids=["normalizer", "metaspace"],
)
def test_pieces_are_merged_by_their_ranks(changes: dict[str, Any], tmp_path: Path) -> None:
    path = write_vocabulary(tmp_path, pieces(**changes))

    check_tokens(tmp_path, path)
    said = read_gguf(path, read_arrays=True).metadata
    types = said["tokenizer.ggml.token_type"]
    assert isinstance(types, tuple)
    assert types[:4] == (2, 3, 3, 6)
    assert said["tokenizer.ggml.add_space_prefix"] is True


def test_a_name_that_is_wrong_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = next(key for key, name in known._NAMES.items() if name == "qwen2")
    monkeypatch.setitem(known._NAMES, key, "gpt-2")
    path = write_vocabulary(tmp_path, byte_level(*key))

    with pytest.raises(InvalidRequest, match="in other tokens than the tokenizer"):
        check_tokens(tmp_path, path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pre_tokenizer": {"type": "Whitespace"}}, "spaces"),
        ({"normalizer": {"type": "Lowercase"}}, "spaces"),
        ({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}]}}, "spaces"),
        (
            {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}, "normalizer": None},
            "splits texts in a way",
        ),
        ({"pre_tokenizer": {"type": "ByteLevel"}, "normalizer": {"type": "Lowercase"}}, "changes a text before"),
        (
            {
                "normalizer": None,
                "pre_tokenizer": {
                    "type": "Sequence",
                    "pretokenizers": [
                        {"type": "Split", "pattern": {"Regex": r"\w+"}, "behavior": "Isolated", "invert": False},
                        {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
                    ],
                },
            },
            "splits texts in a way",
        ),
        ({"model": {"type": "Unigram", "vocab": {}}}, "type 'Unigram'"),
        ({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}, "bytes"),
        ({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b c"], "byte_fallback": True}}, "merge"),
    ],
)
def test_a_tokenizer_that_has_no_name_is_refused(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    said = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"], "byte_fallback": True}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(said | changes))

    with pytest.raises(NotConvertible, match=says):
        vocabulary_metadata(tmp_path, 10)


@pytest.mark.parametrize(
    ("config", "processor", "expected"),
    [
        ({}, None, (False, False)),
        ({}, [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}], (True, False)),
        ({}, [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "</s>"}}], (False, True)),
        ({"add_bos_token": False}, [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}], (False, False)),
        ({"add_bos_token": True}, None, (True, False)),
    ],
)
def test_a_text_begins_and_ends_as_the_folder_says(
    config: dict[str, Any], processor: list[dict[str, Any]] | None, expected: tuple[bool, bool], tmp_path: Path
) -> None:
    template = {"type": "TemplateProcessing", "single": processor}
    said = pieces(post_processor=None if processor is None else {"type": "Sequence", "processors": [template]})
    (tmp_path / "tokenizer.json").write_text(said)
    names = {"bos_token": {"content": "<s>"}, "eos_token": "</s>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(names | config))

    found = vocabulary_metadata(tmp_path, 1000)

    assert (found["tokenizer.ggml.add_bos_token"], found["tokenizer.ggml.add_eos_token"]) == expected
    assert (found["tokenizer.ggml.bos_token_id"], found["tokenizer.ggml.eos_token_id"]) == (1, 2)

"""Tokenizers of model folders: the library's own answers, and the bytes of every token."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Library
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer

from appliance.backends.base import FimIds
from appliance.backends.tokenizer_folder import FolderTokenizer
from appliance.engine.detokenize import Detokenizer
from appliance.errors import BackendError

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"]
TEXTS = ["hello there, hello again", "你好，世界。你好", "a 🙂 smile", "Grüße aus Köln", "x = 1\n\ty = 2\n"]


def byte_level(folder: Path, **config: Any) -> FolderTokenizer:
    library = Library(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(
        vocab_size=300, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False, min_frequency=1
    )
    library.train_from_iterator(TEXTS, trainer)
    library.add_tokens(["<think>"])
    return opened(folder, library, {"eos_token": "<|im_end|>", "bos_token": None, **config})


def sentence_piece(folder: Path, **config: Any) -> FolderTokenizer:
    """A vocabulary as SentencePiece leaves it: a few words, single bytes for everything else."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁hello", "▁", "h", "e", "l", "o"]
    library = Library(
        models.BPE(
            vocab={piece: number for number, piece in enumerate(pieces)},
            merges=[],
            unk_token="<unk>",
            byte_fallback=True,
            fuse_unk=True,
        )
    )
    library.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    library.decoder = decoders.Sequence(parts)
    library.add_special_tokens(["<unk>", "<s>", "</s>"])
    library.post_processor = processors.TemplateProcessing(single="<s> $A", pair=None, special_tokens=[("<s>", 1)])
    return opened(folder, library, {"bos_token": {"content": "<s>"}, "eos_token": {"content": "</s>"}, **config})


def opened(folder: Path, library: Library, config: dict[str, Any]) -> FolderTokenizer:
    library.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_bytes(msgspec.json.encode(config))
    return FolderTokenizer(folder)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> FolderTokenizer:
    return byte_level(tmp_path_factory.mktemp("bytes"))


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> FolderTokenizer:
    return sentence_piece(tmp_path_factory.mktemp("pieces"))


def spelled(tokenizer: FolderTokenizer, text: str) -> bytes:
    tokens = tokenizer.encode(text, parse_special=False, add_bos=False)
    return b"".join(tokenizer.token_bytes(int(token)) for token in tokens)


@given(text=st.text(max_size=60))
def test_the_bytes_of_a_texts_tokens_are_the_text(plain: FolderTokenizer, text: str) -> None:
    assert spelled(plain, text) == text.encode()


@given(text=st.text(max_size=60).filter(lambda text: "▁" not in text and "<0x" not in text))
def test_pieces_and_single_bytes_are_the_text_after_the_space_that_begins_it(
    pieces: FolderTokenizer, text: str
) -> None:
    assert spelled(pieces, text) == (f" {text}".encode() if text else b"")


@pytest.mark.parametrize("make", [byte_level, sentence_piece])
def test_text_that_comes_token_by_token_is_what_the_library_decodes(make: Any, tmp_path: Path) -> None:
    tokenizer = make(tmp_path)
    library = Library.from_file(str(tmp_path / "tokenizer.json"))
    for text in [*TEXTS, "家族👨‍👩‍👧 und mehr"]:
        ids = library.encode(text, add_special_tokens=False).ids
        detokenizer = Detokenizer(tokenizer)
        written = "".join(map(detokenizer.feed, ids)) + detokenizer.flush()
        assert written.removeprefix(" ") == library.decode(ids) == text
        assert tokenizer.encode(text, parse_special=True, add_bos=False).tolist() == ids


def test_a_character_may_lie_across_tokens(plain: FolderTokenizer) -> None:
    tokens = plain.encode("🙃", parse_special=False, add_bos=False)
    assert len(tokens) > 1
    assert b"".join(plain.token_bytes(int(token)) for token in tokens) == "🙃".encode()


def test_special_tokens_are_marks_or_text_as_asked_and_never_written(plain: FolderTokenizer) -> None:
    marked = plain.encode("<|im_end|>", parse_special=True, add_bos=False)
    assert marked.tolist() == [SPECIAL.index("<|im_end|>")]
    assert plain.token_bytes(int(marked[0])) == b""
    assert plain.special_text(int(marked[0])) == "<|im_end|>"
    assert len(plain.encode("<|im_end|>", parse_special=False, add_bos=False)) > 1
    (thought,) = plain.encode("<think>", parse_special=True, add_bos=False)
    assert plain.token_bytes(int(thought)) == b"<think>"


def test_a_prompt_begins_with_the_token_where_the_vocabulary_says_so(
    plain: FolderTokenizer, pieces: FolderTokenizer, tmp_path: Path
) -> None:
    assert plain.bos_id is None
    assert pieces.bos_id == 1
    assert pieces.encode("hello", parse_special=True, add_bos=True)[0] == 1
    assert pieces.encode("hello", parse_special=True, add_bos=False)[0] != 1
    wished = byte_level(tmp_path, bos_token="<|endoftext|>", add_bos_token=True)
    assert wished.encode("a", parse_special=True, add_bos=True)[0] == 0
    named = byte_level(tmp_path, bos_token="<|endoftext|>")
    assert named.encode("a", parse_special=True, add_bos=True)[0] != 0


def test_an_answer_ends_at_each_token_that_any_file_names(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"eos_token_id": 5, "vocab_size": 320}')
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [0, 9999]}')
    tokenizer = byte_level(tmp_path)
    assert tokenizer.eos_ids == {0, SPECIAL.index("<|im_end|>")}


def test_the_padding_of_a_vocabulary_stands_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"vocab_size": 1024}')
    tokenizer = byte_level(tmp_path)
    assert tokenizer.vocab_size == 1024
    assert (tokenizer.token_bytes(1023), tokenizer.special_text(1023)) == (b"", "")


def test_markers_to_fill_in_the_middle_are_found(plain: FolderTokenizer, pieces: FolderTokenizer) -> None:
    assert plain.fim_ids == FimIds(prefix=3, suffix=4, middle=5)
    assert pieces.fim_ids is None


def test_a_template_comes_with_the_folder(tmp_path: Path) -> None:
    assert byte_level(tmp_path).chat_template is None
    assert byte_level(tmp_path, chat_template="{{ messages }}").chat_template == "{{ messages }}"


@pytest.mark.parametrize("content", [None, "{", '{"model": {}}'])
def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(BackendError, match=r"tokenizer\.json cannot be read"):
        FolderTokenizer(tmp_path)

"""What the files beside the graphs say of a Whisper model; what they lack is named."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.formats.speech_config import SpeechConfigError, is_speech, read_speech_config
from tests.tiny_whisper import FIRST_TIMESTAMP, ID, LANGUAGES, VOCAB_SIZE, Whisper, write_whisper


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_whisper(tmp_path, Whisper(num_mel_bins=128))
    return tmp_path


def change(file: Path, **fields: Any) -> None:
    said = msgspec.json.decode(file.read_bytes()) | fields
    file.write_bytes(msgspec.json.encode({name: value for name, value in said.items() if value is not None}))


def test_shape_and_tokens_are_read(folder: Path) -> None:
    config = read_speech_config(folder)
    assert is_speech(folder)
    assert (config.num_mel_bins, config.max_audio_positions, config.max_tokens) == (128, 1500, 64)
    assert (config.num_layers, config.num_heads, config.head_width, config.vocab_size) == (2, 2, 16, VOCAB_SIZE)
    assert config.tokens["no_timestamps"] == FIRST_TIMESTAMP - 1
    assert config.tokens["no_speech"] == ID["<|nospeech|>"]
    assert set(config.languages) == set(LANGUAGES) and set(config.tasks) == {"transcribe", "translate"}
    assert config.suppressed[:3] == (1, 2, 7) and config.suppressed_first == (220, 256)


def test_one_that_knows_english_only_has_no_languages(folder: Path) -> None:
    change(folder / "generation_config.json", is_multilingual=False)
    assert read_speech_config(folder).languages == {}


def test_the_token_for_silence_is_found_by_its_place_where_it_has_another_name(folder: Path) -> None:
    file = folder / "tokenizer.json"
    file.write_bytes(file.read_bytes().replace(b"<|nospeech|>", b"<|something|>"))
    assert read_speech_config(folder).tokens["no_speech"] == ID["<|nospeech|>"]


def test_what_is_missing_is_named(folder: Path) -> None:
    change(folder / "config.json", d_model=None)
    with pytest.raises(SpeechConfigError, match="does not say d_model"):
        read_speech_config(folder)
    file = folder / "tokenizer.json"
    file.write_bytes(file.read_bytes().replace(b"<|notimestamps|>", b"<|other|>"))
    with pytest.raises(SpeechConfigError, match=r"has no <\|notimestamps\|>"):
        read_speech_config(folder)


def test_tokens_that_the_model_does_not_have_are_refused(folder: Path) -> None:
    change(folder / "config.json", vocab_size=FIRST_TIMESTAMP - 1)
    with pytest.raises(SpeechConfigError, match="names tokens that the model"):
        read_speech_config(folder)


def test_another_kind_of_model_is_none(folder: Path) -> None:
    change(folder / "config.json", model_type="bert")
    assert not is_speech(folder)

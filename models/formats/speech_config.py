"""What the files of a model folder say of a Whisper model: its shape, its special tokens, the sound that it hears.

Sources: transformers, `WhisperConfig`, `WhisperFeatureExtractor` and the `generation_config.json` of Whisper; Radford
et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, for what a file does not say.
"""

import re
from pathlib import Path
from typing import Any

import msgspec

from models.formats.folder_config import read_json
from models.formats.json_file import read_json_file

MODEL_TYPE = "whisper"
PREPROCESSOR_FILE = "preprocessor_config.json"
SPEECH_FILES = (PREPROCESSOR_FILE,)
"""The files beside the graphs that only such a model has; the others are those of every folder."""

_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")
_NAMES = {
    "start": "<|startoftranscript|>",
    "end": "<|endoftext|>",
    "previous": "<|startofprev|>",
    "no_timestamps": "<|notimestamps|>",
}
_TASKS = ("transcribe", "translate")


class SpeechConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A Whisper model by its files. `tokens` are the special ones by their names here, `languages` by their codes."""

    num_mel_bins: int
    max_audio_positions: int
    max_tokens: int
    num_layers: int
    num_heads: int
    head_width: int
    vocab_size: int
    tokens: dict[str, int]
    tasks: dict[str, int]
    languages: dict[str, int]
    suppressed: tuple[int, ...]
    suppressed_first: tuple[int, ...]


class SpeechConfigError(ValueError):
    """The files do not describe a model that can be served; the message says what is missing."""


def is_speech(folder: Path) -> bool:
    """Return whether the configuration in the folder is that of a Whisper model."""
    return read_json(folder / "config.json").get("model_type") == MODEL_TYPE


def read_speech_config(folder: Path) -> SpeechConfig:
    """Return what the files say. Raises: SpeechConfigError."""
    config, generation = read_json(folder / "config.json"), read_json(folder / "generation_config.json")
    sound = read_json(folder / PREPROCESSOR_FILE)
    special = _special_tokens(folder)
    missing = [text for text in _NAMES.values() if text not in special]
    if missing:
        raise SpeechConfigError(f"{folder / 'tokenizer.json'} has no {', '.join(missing)}")
    tokens = {name: special[text] for name, text in _NAMES.items()}
    # The token for silence has had two names, and stands before the one that switches timestamps off
    tokens["no_speech"] = special.get("<|nospeech|>", special.get("<|nocaptions|>", tokens["no_timestamps"] - 1))
    tasks = {name: special[f"<|{name}|>"] for name in _TASKS if f"<|{name}|>" in special}
    languages = {match[1]: token for text, token in special.items() if (match := _LANGUAGE.fullmatch(text))}
    vocab_size = _needed(config, "vocab_size")
    if not all(0 <= token < vocab_size for token in (*tokens.values(), *tasks.values(), *languages.values())):
        raise SpeechConfigError(f"{folder / 'tokenizer.json'} names tokens that the model's {vocab_size} do not hold")
    width, num_heads = _needed(config, "d_model"), _needed(config, "decoder_attention_heads")
    return SpeechConfig(
        num_mel_bins=_integer(sound, "feature_size") or _needed(config, "num_mel_bins"),
        max_audio_positions=_needed(config, "max_source_positions"),
        max_tokens=_needed(config, "max_target_positions"),
        num_layers=_needed(config, "decoder_layers"),
        num_heads=num_heads,
        head_width=width // max(1, num_heads),
        vocab_size=vocab_size,
        tokens=tokens,
        tasks=tasks,
        languages=languages if generation.get("is_multilingual", True) is not False else {},
        suppressed=_integers(generation, config, "suppress_tokens"),
        suppressed_first=_integers(generation, config, "begin_suppress_tokens"),
    )


class _Token(msgspec.Struct):
    id: int
    content: str


class _Tokenizer(msgspec.Struct):
    added_tokens: list[_Token] = []


def _special_tokens(folder: Path) -> dict[str, int]:
    tokenizer = read_json_file(folder / "tokenizer.json", _Tokenizer)
    return {token.content: token.id for token in tokenizer.added_tokens} if tokenizer else {}


def _needed(config: dict[str, Any], name: str) -> int:
    value = _integer(config, name)
    if value is None or value <= 0:
        raise SpeechConfigError(f"config.json does not say {name}")
    return value


def _integer(fields: dict[str, Any], name: str) -> int | None:
    value = fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _integers(generation: dict[str, Any], config: dict[str, Any], name: str) -> tuple[int, ...]:
    values = generation.get(name, config.get(name))
    return tuple(item for item in values if isinstance(item, int) and item >= 0) if isinstance(values, list) else ()

"""The tokenizer of a folder as the keys of a GGUF file: byte-level BPE, or pieces with a fallback to bytes.

Sources: tokenizers, the JSON of a tokenizer; llama.cpp, gguf-py/gguf/constants.py for the keys and `llama.h`,
enum llama_token_type; `llama-vocab.cpp`, the tokenizer SPM, which merges the pair of the best score.
"""

import re
from pathlib import Path
from typing import Any

import msgspec

from models.formats.folder_config import read_chat_template, read_json, read_tokenizer_config
from models.formats.gguf_writer import Value
from models.to_gguf.pre_tokenizers import is_byte_level, name_of_pre_tokenizer
from models.to_gguf.refusal import NotConvertible

_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED, _BYTE = 1, 2, 3, 4, 5, 6
_BYTE_PIECE = re.compile(r"<0x[0-9A-F]{2}>")
_LOOKS_SPECIAL = re.compile(r"<\|.*\|>|<｜.*｜>")
_SPECIAL_ROLES = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
_ENDS = ("bos_token_id", "eos_token_id")


class AddedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that is found in a text before anything is split."""

    id: int
    content: str
    special: bool = False


class _Model(msgspec.Struct, frozen=True, kw_only=True):
    type: str = ""
    vocab: dict[str, int]
    merges: list[str | list[str]] = []
    unk_token: str | None = None
    byte_fallback: bool = False
    ignore_merges: bool = False
    continuing_subword_prefix: str | None = None
    end_of_word_suffix: str | None = None


class _Tokenizer(msgspec.Struct, frozen=True, kw_only=True):
    model: _Model
    added_tokens: list[AddedToken] = []
    normalizer: dict[str, Any] | None = None
    pre_tokenizer: dict[str, Any] | None = None
    post_processor: dict[str, Any] | None = None


def vocabulary_metadata(folder: Path, vocab_size: int) -> dict[str, Value]:
    """Return all keys of the tokenizer and the chat template. Raises: NotConvertible, where a key would be a guess."""
    tokenizer = _read(folder / "tokenizer.json")
    tokens = _tokens(tokenizer, vocab_size)
    byte_level = is_byte_level(tokenizer.pre_tokenizer)
    if not byte_level and not tokenizer.model.byte_fallback:
        raise NotConvertible("its tokenizer knows letters and no bytes, which GGUF cannot say")
    own = _of_bytes(tokenizer) if byte_level else _of_pieces(tokenizer, tokens)
    return {
        **own,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": _types(tokenizer, tokens, byte_level),
        **_special(folder, tokenizer, tokens),
        **_template(folder),
    }


def _read(path: Path) -> _Tokenizer:
    try:
        tokenizer = msgspec.json.decode(path.read_bytes(), type=_Tokenizer)
    except FileNotFoundError:
        raise NotConvertible(f"{path.parent} has no tokenizer.json, without which the model reads no text") from None
    except OSError as error:
        raise NotConvertible(f"{path} cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise NotConvertible(f"{path} is not a tokenizer that can be converted: {error}") from None
    model = tokenizer.model
    if model.type not in ("BPE", "") or model.continuing_subword_prefix or model.end_of_word_suffix:
        raise NotConvertible(f"its tokenizer is of the type {model.type!r}; BPE can be converted")
    return tokenizer


def _tokens(tokenizer: _Tokenizer, vocab_size: int) -> list[str]:
    """Return the text of every row of the embedding; rows that no token uses have a name that no text contains."""
    tokens: list[str | None] = [None] * vocab_size
    ids = [*tokenizer.model.vocab.items(), *((added.content, added.id) for added in tokenizer.added_tokens)]
    for text, number in ids:
        if not 0 <= number < vocab_size:
            raise NotConvertible(f"token {text!r} has the number {number}, the network has {vocab_size} tokens")
        tokens[number] = text
    return [f"[PAD{number}]" if text is None else text for number, text in enumerate(tokens)]


def _of_bytes(tokenizer: _Tokenizer) -> dict[str, Value]:
    model = tokenizer.model
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": name_of_pre_tokenizer(tokenizer.normalizer, tokenizer.pre_tokenizer, model.ignore_merges),
        "tokenizer.ggml.merges": [" ".join(pair) for pair in _pairs(model)],
    }


def _of_pieces(tokenizer: _Tokenizer, tokens: list[str]) -> dict[str, Value]:
    """Return the scores by which pieces are merged: the rank of the merge that makes a piece, the first the best."""
    ranks: dict[str, int] = {}
    for rank, pair in enumerate(_pairs(tokenizer.model)):
        ranks.setdefault("".join(pair), rank)
    least = -float(len(ranks) + 1)
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.scores": [-float(ranks[text]) if text in ranks else least for text in tokens],
        "tokenizer.ggml.add_space_prefix": _adds_space(tokenizer),
    }


def _pairs(model: _Model) -> list[tuple[str, str]]:
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in model.merges]
    wrong = [pair for pair in pairs if len(pair) != 2 or any(" " in part for part in pair)]
    if wrong or not pairs:
        what = f"with the merge {wrong[0]!r}" if wrong else "without merges"
        raise NotConvertible(f"its tokenizer is one {what}, which is not understood")
    return [(pair[0], pair[1]) for pair in pairs]


def _adds_space(tokenizer: _Tokenizer) -> bool:
    """Return whether a text is read as if it began with a space. Raises: NotConvertible, where spaces are others."""
    normalizer, splitter = tokenizer.normalizer or {}, tokenizer.pre_tokenizer or {}
    steps = _objects(normalizer.get("normalizers", [normalizer] if normalizer else []))
    kinds = [step.get("type") for step in steps]
    if splitter.get("type") == "Metaspace" and not normalizer and splitter.get("replacement") == "▁":
        return str(splitter.get("prepend_scheme", "always")) != "never"
    replaces = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"} in steps
    if splitter or not replaces or sorted(map(str, kinds)) not in (["Prepend", "Replace"], ["Replace"]):
        raise NotConvertible("its tokenizer treats spaces in a way that GGUF has no words for")
    return "Prepend" in kinds


def _types(tokenizer: _Tokenizer, tokens: list[str], byte_level: bool) -> list[int]:
    used = {*tokenizer.model.vocab.values()}
    types = [_NORMAL if number in used else _UNUSED for number in range(len(tokens))]
    for text, number in tokenizer.model.vocab.items():
        if not byte_level and _BYTE_PIECE.fullmatch(text):
            types[number] = _BYTE
    for added in tokenizer.added_tokens:
        is_control = added.special or _LOOKS_SPECIAL.fullmatch(added.content)
        types[added.id] = _CONTROL if is_control else _USER_DEFINED
    unknown = tokenizer.model.vocab.get(tokenizer.model.unk_token or "")
    if unknown is not None and not byte_level:
        types[unknown] = _UNKNOWN
    return types


def _special(folder: Path, tokenizer: _Tokenizer, tokens: list[str]) -> dict[str, Value]:
    """Return the tokens with a part of their own, and which of them stand around every text."""
    config, numbers = read_tokenizer_config(folder), {text: number for number, text in enumerate(tokens)}
    found: dict[str, int] = {}
    for file in ("config.json", "generation_config.json"):
        fields = read_json(folder / file)
        for key in _ENDS:
            value = fields.get(key)
            first = value[0] if isinstance(value, list) and value else value
            if isinstance(first, int) and not isinstance(first, bool) and 0 <= first < len(tokens):
                found[key] = first
    for role, name in _SPECIAL_ROLES.items():
        value = config.get(f"{role}_token")
        text = value.get("content") if isinstance(value, dict) else value
        if isinstance(text, str) and text in numbers:
            found[f"{name}_token_id"] = numbers[text]
    begins, ends = _around(config, tokenizer, found, tokens)
    return {
        **{f"tokenizer.ggml.{key}": number for key, number in found.items()},
        "tokenizer.ggml.add_bos_token": begins,
        "tokenizer.ggml.add_eos_token": ends,
    }


def _around(
    config: dict[str, Any], tokenizer: _Tokenizer, found: dict[str, int], tokens: list[str]
) -> tuple[bool, bool]:
    """Return whether a text begins with its first token and ends with its last: as configured, else as processed."""
    pieces = _template_of_single(tokenizer.post_processor)
    texts = [
        piece["SpecialToken"].get("id") if isinstance(piece.get("SpecialToken"), dict) else None for piece in pieces
    ]
    sides = (texts[:1], texts[-1:]) if len(texts) > 1 else ([], [])
    is_there = [key in found and sides[side] == [tokens[found[key]]] for side, key in enumerate(_ENDS)]
    begins, ends = (config.get(name) for name in ("add_bos_token", "add_eos_token"))
    return (
        begins if isinstance(begins, bool) else is_there[0],
        ends if isinstance(ends, bool) else is_there[1],
    )


def _template_of_single(processor: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return what is put around one text, wherever in a row of processors it stands."""
    fields = processor or {}
    for step in _objects(fields.get("processors", [fields])):
        if step.get("type") == "TemplateProcessing":
            return _objects(step.get("single"))
    return []


def _objects(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _template(folder: Path) -> dict[str, Value]:
    template = read_chat_template(folder)
    return {} if template is None else {"tokenizer.chat_template": template}

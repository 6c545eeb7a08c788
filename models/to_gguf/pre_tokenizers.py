"""How a byte-level tokenizer splits a text before it merges, and llama.cpp's name for that.

A name stands here only where llama.cpp does just what the steps of the tokenizer say: a wrong one would change what the
model reads, and nobody would notice. Whoever uses a name compares the tokens of a text as well.

Sources: tokenizers, the JSON of `pre_tokenizers`; llama.cpp, `llama-vocab.cpp`, the regular expressions of each
`LLAMA_VOCAB_PRE_TYPE` and which of them ignore merges.
"""

from collections.abc import Mapping
from typing import Any

from models.to_gguf.refusal import NotConvertible

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CASED = rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"

_Step = tuple[str, ...]
_BYTES: _Step = ("bytes",)


def _split(pattern: str) -> _Step:
    return ("split", pattern)


_NAMES: dict[tuple[tuple[_Step, ...], bool], str] = {
    ((_split(rf"{_CONTRACTIONS}|{_WORDS}|\p{{N}}|{_REST}"), _BYTES), False): "qwen2",
    ((_split(rf"{_CONTRACTIONS}|{_WORDS}|\p{{N}}{{1,3}}|{_REST}"), _BYTES), True): "llama-bpe",
    ((_split(rf"{_CONTRACTIONS}|{_WORDS}|\p{{N}}{{1,3}}|{_REST}"), _BYTES), False): "dbrx",
    ((_split(rf"{_CASED}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"), _BYTES), True): "tekken",
    ((("digits",), ("words and bytes",)), False): "smollm",
    ((("words and bytes",),), False): "gpt-2",
}
"""The steps, whether a word that is a token is taken whole without merging, and the name."""


def name_of_pre_tokenizer(normalizer: Any, pre_tokenizer: Any, ignores_merges: bool) -> str:
    """Return llama.cpp's name. Raises: NotConvertible, where it has none for these steps."""
    if normalizer is not None and _object(normalizer).get("type") != "NFC":
        raise NotConvertible("its tokenizer changes a text before it splits it, which llama.cpp does not for this kind")
    steps = _object(pre_tokenizer)
    parts = steps.get("pretokenizers") if steps.get("type") == "Sequence" else [pre_tokenizer]
    found = tuple(_step(_object(part)) for part in parts) if isinstance(parts, list) else ()
    name = _NAMES.get((found, ignores_merges))
    if name is None:
        raise NotConvertible(
            "its tokenizer splits texts in a way that this version knows no name of llama.cpp's for, and a wrong one "
            "would change what the model reads; take a GGUF file of the model's maker"
        )
    return name


def is_byte_level(pre_tokenizer: Any) -> bool:
    """Return whether a tokenizer spells every byte by a letter."""
    steps = _object(pre_tokenizer)
    parts = steps.get("pretokenizers")
    return steps.get("type") == "ByteLevel" or (
        isinstance(parts, list) and any(_object(part).get("type") == "ByteLevel" for part in parts)
    )


def _step(fields: Mapping[str, Any]) -> _Step:
    """Return a step in short; a step that is not understood is equal to none that is."""
    kind = fields.get("type")
    if kind == "Split" and fields.get("behavior") == "Isolated" and not fields.get("invert"):
        pattern = _object(fields.get("pattern")).get("Regex")
        return _split(str(pattern))
    if kind == "Digits" and fields.get("individual_digits"):
        return ("digits",)
    if kind == "ByteLevel" and not fields.get("add_prefix_space"):
        return ("words and bytes",) if fields.get("use_regex", True) else _BYTES
    return ("unknown", str(kind))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}

"""What the files of a model folder say of an encoder: pooling, length, instructions, labels.

Sources: sentence-transformers, `Transformer`, `Pooling` and `SentenceTransformer` modules; transformers,
`PretrainedConfig`.
"""

from pathlib import Path
from typing import Any, Literal

import msgspec

from models.formats.folder_config import read_json
from models.formats.json_file import read_json_file

Pooling = Literal["mean", "cls", "last"]

_MODULES_FILE, _SENTENCE_FILE = "modules.json", "config_sentence_transformers.json"
_LENGTH_FILE = "sentence_bert_config.json"
_POOLINGS: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}
# How later versions write the same, in one field
_POOLING_FIELDS = {
    "mean": "pooling_mode_mean_tokens",
    "cls": "pooling_mode_cls_token",
    "lasttoken": "pooling_mode_lasttoken",
}
# Their tables of positions begin after the place of padding.
_OFFSET_POSITIONS = ("camembert", "mpnet", "roberta", "xlm-roberta")
_OFFSET = 2
_NO_LIMIT = 1_000_000  # tokenizers write 1e30 where they know no limit


class EncoderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """An encoder by its files. `prompts` are the instructions by the names that the model gives them.

    `unsupported` names what the files ask for beyond this. Without labels the model embeds.
    """

    pooling: Pooling = "mean"
    is_normalized: bool = False
    max_tokens: int | None = None
    pad_id: int = 0
    prompts: dict[str, str] = {}
    default_prompt: str | None = None
    labels: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()


def read_encoder_config(folder: Path) -> EncoderConfig:
    """Return what the files in `folder` say; where they say nothing, what sentence-transformers would do."""
    config, sentence = read_json(folder / "config.json"), read_json(folder / _SENTENCE_FILE)
    modules = _modules(folder)
    pooling, unsupported = _pooling(folder, modules)
    prompts = sentence.get("prompts")
    default_prompt, pad_id = sentence.get("default_prompt_name"), config.get("pad_token_id")
    return EncoderConfig(
        pooling=pooling,
        is_normalized="Normalize" in modules,
        max_tokens=_max_tokens(folder, config),
        pad_id=pad_id if isinstance(pad_id, int) else 0,
        prompts={name: text for name, text in prompts.items() if isinstance(text, str)}
        if isinstance(prompts, dict)
        else {},
        default_prompt=default_prompt if isinstance(default_prompt, str) else None,
        labels=_labels(config),
        unsupported=unsupported,
    )


def _modules(folder: Path) -> dict[str, str]:
    """Return the folder of each step by the name of its class, in their order."""
    steps = read_json_file(folder / _MODULES_FILE, list[dict[str, Any]]) or []
    return {str(step.get("type", "")).rpartition(".")[2]: _inside(str(step.get("path", ""))) for step in steps}


def _inside(path: str) -> str:
    """Return a step's folder if it is one below the model's own; else none is named."""
    return path if "/" not in path and "\\" not in path and "\0" not in path and path != ".." else ""


def _pooling(folder: Path, modules: dict[str, str]) -> tuple[Pooling, tuple[str, ...]]:
    known = ("Transformer", "Pooling", "Normalize")
    unsupported = [f"the step {name!r} of {_MODULES_FILE}" for name in modules if name not in known]
    config = read_json(folder / (modules.get("Pooling") or "1_Pooling") / "config.json")
    modes = [name for name, value in config.items() if name.startswith("pooling_mode_") and value is True]
    named = config.get("pooling_mode")
    if isinstance(named, str):
        modes.append(_POOLING_FIELDS.get(named, named))
    unsupported += [f"the pooling {mode!r}" for mode in modes if mode not in _POOLINGS]
    if len(modes) > 1:
        unsupported.append("several poolings at once")
    if config.get("include_prompt") is False:
        unsupported.append("a pooling that leaves the instruction out")
    return _POOLINGS.get(modes[0], "mean") if modes else "mean", tuple(unsupported)


def _max_tokens(folder: Path, config: dict[str, Any]) -> int | None:
    """Return the smallest of the limits: the one to be used, the tokenizer's, and the table of positions."""
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and config.get("model_type") in _OFFSET_POSITIONS:
        positions -= _OFFSET
    limits = (
        read_json(folder / _LENGTH_FILE).get("max_seq_length"),
        read_json(folder / "tokenizer_config.json").get("model_max_length"),
        positions,
    )
    known = [limit for limit in limits if isinstance(limit, int) and 0 < limit < _NO_LIMIT]
    return min(known, default=None)


def _labels(config: dict[str, Any]) -> tuple[str, ...]:
    """Return the labels of a classifier; a single one makes it a reranker."""
    architectures = config.get("architectures")
    if not isinstance(architectures, list) or not str(architectures[:1]).endswith("ForSequenceClassification']"):
        return ()
    labels = config.get("id2label")
    if isinstance(labels, dict) and labels:
        return tuple(str(label) for label in labels.values())
    count = config.get("num_labels")
    return tuple(f"LABEL_{number}" for number in range(count if isinstance(count, int) else 2))

"""The trained network answers in PyTorch, without an appliance: the likeliest text, and how likely the expected one is.

Source of the folder's form: `LlamaConfig` of transformers, `tokenizer.json` of tokenizers, the README of safetensors.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional

from models.default.chat import render
from models.default.held_out import Case
from models.default.network import Weights, logits
from models.default.sample import answers
from models.default.shape import Shape
from models.default.tokenizer import SPECIAL_TOKENS, Tokenizer
from models.default.train import resume

BATCH_ROWS = 32
_TYPES = {"F16": torch.float16, "F32": torch.float32}


@dataclass(frozen=True, slots=True)
class Offline:
    """A network and its tokenizer, read from files."""

    weights: Weights
    shape: Shape
    tokenizer: Tokenizer

    def answers(self, cases: Sequence[Case]) -> list[str]:
        """Return the likeliest answer to each case."""
        end = self.tokenizer.special("<|im_end|>")
        prompts = [self._prompt(case) for case in cases]
        said: dict[int, list[int]] = {}
        for rows in _by_length(prompts):
            found = answers(self.weights, self.shape, [prompts[row] for row in rows], end)
            said |= dict(zip(rows, found, strict=True))
        marks = {self.tokenizer.special(token) for token in SPECIAL_TOKENS}
        return [self.tokenizer.decode(token for token in said[row] if token not in marks) for row in range(len(cases))]

    def perplexity(self, cases: Sequence[Case]) -> float:
        """Return the perplexity of the expected answers, their end marks included, for each token."""
        loss_sum, num_tokens = 0.0, 0
        for case in cases:
            prompt = self._prompt(case)
            expected = [*self.tokenizer.encode(case.expected), self.tokenizer.special("<|im_end|>")]
            with torch.no_grad():
                scores = logits(self.weights, self.shape, torch.tensor([prompt + expected[:-1]]))[0, len(prompt) - 1 :]
            loss_sum += functional.cross_entropy(scores, torch.tensor(expected), reduction="sum").item()
            num_tokens += len(expected)
        return math.exp(loss_sum / num_tokens)

    def _prompt(self, case: Case) -> list[int]:
        messages = [{"role": role, "content": content} for role, content in case.turns]
        return self.tokenizer.encode_marked(render(messages, add_generation_prompt=True))


def load(path: Path) -> Offline:
    """Return the network of a checkpoint, or of a folder: `model.safetensors`, `config.json` and `tokenizer.json`."""
    if path.is_file():
        run = resume(path)
        return Offline(run.weights, run.shape, run.tokenizer)
    config = json.loads((path / "config.json").read_bytes())
    shape = Shape(
        num_layers=config["num_hidden_layers"],
        width=config["hidden_size"],
        num_heads=config["num_attention_heads"],
        num_kv_heads=config["num_key_value_heads"],
        feed_forward=config["intermediate_size"],
        vocabulary_size=config["vocab_size"],
    )
    return Offline(_weights(path / "model.safetensors"), shape, _tokenizer(path / "tokenizer.json"))


def _weights(path: Path) -> Weights:
    content = bytearray(path.read_bytes())
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    header.pop("__metadata__", None)
    return {
        name: torch.frombuffer(content, dtype=_TYPES[entry["dtype"]], count=math.prod(entry["shape"]), offset=offset)
        .view(entry["shape"])
        .float()
        for name, entry in header.items()
        for offset in [begin + entry["data_offsets"][0]]
    }


def _tokenizer(path: Path) -> Tokenizer:
    saved = json.loads(path.read_bytes())
    ids = saved["model"]["vocab"] | {token["content"]: token["id"] for token in saved["added_tokens"]}
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in saved["model"]["merges"])
    return Tokenizer(
        tuple(sorted(ids, key=lambda token: int(ids[token]))), tuple((left, right) for left, right in pairs)
    )


def _by_length(prompts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Batch prompts of like length, so that little is padded."""
    order = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
    for begin in range(0, len(order), BATCH_ROWS):
        yield order[begin : begin + BATCH_ROWS]

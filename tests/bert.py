"""A tiny BERT with random weights: as a GGUF file, and computed in numpy for what it must give."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.formats.gguf_writer import Tensor, Value, write_gguf

FloatArray = npt.NDArray[np.float32]
PAD, UNKNOWN, CLS, SEP, MASK = range(5)
WORDS = (
    "the",
    "a",
    "cat",
    "dog",
    "sat",
    "on",
    "mat",
    "runs",
    "fast",
    "sun",
    "is",
    "warm",
    "un",
    "##s",
    "##ing",
    "##ly",
)
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS)
_EPSILON = 1e-12


@dataclass(frozen=True)
class Bert:
    """Weights by the names of Hugging Face's BERT, matrices as `(out, in)`; `labels` of a classifier's head."""

    weights: dict[str, FloatArray]
    num_layers: int = 2
    width: int = 64
    num_heads: int = 4
    feed_forward: int = 128
    max_tokens: int = 48
    num_labels: int = 0


def random_bert(seed: int = 0, num_labels: int = 0) -> Bert:
    """Return a model whose outputs differ clearly from text to text."""
    random = np.random.default_rng(seed)
    shape = Bert({}, num_labels=num_labels)
    weights: dict[str, FloatArray] = {}

    def matrix(name: str, rows: int, columns: int) -> None:
        weights[name] = random.standard_normal((rows, columns), np.float32) * np.float32(columns**-0.5)

    def linear(name: str, rows: int, columns: int) -> None:
        matrix(f"{name}.weight", rows, columns)
        weights[f"{name}.bias"] = random.standard_normal(rows, np.float32) * np.float32(0.1)

    def norm(name: str) -> None:
        weights[f"{name}.weight"] = 1 + random.standard_normal(shape.width, np.float32) * np.float32(0.1)
        weights[f"{name}.bias"] = random.standard_normal(shape.width, np.float32) * np.float32(0.1)

    matrix("embeddings.word_embeddings.weight", len(VOCABULARY), shape.width)
    matrix("embeddings.position_embeddings.weight", shape.max_tokens, shape.width)
    matrix("embeddings.token_type_embeddings.weight", 2, shape.width)
    norm("embeddings.LayerNorm")
    for layer in range(shape.num_layers):
        block = f"encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            linear(f"{block}attention.self.{part}", shape.width, shape.width)
        linear(f"{block}attention.output.dense", shape.width, shape.width)
        norm(f"{block}attention.output.LayerNorm")
        linear(f"{block}intermediate.dense", shape.feed_forward, shape.width)
        linear(f"{block}output.dense", shape.width, shape.feed_forward)
        norm(f"{block}output.LayerNorm")
    if num_labels:
        linear("pooler.dense", shape.width, shape.width)
        linear("classifier", num_labels, shape.width)
    return Bert(weights, num_labels=num_labels)


def hidden_states(bert: Bert, tokens: npt.NDArray[np.int32], types: npt.NDArray[np.int32] | None = None) -> FloatArray:
    """Return `(num_tokens, width)`: the plain formulas, in double precision.

    Source: Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers, 2018.
    """
    weights = {name: weight.astype(np.float64) for name, weight in bert.weights.items()}
    embeddings = "embeddings."
    states = weights[f"{embeddings}word_embeddings.weight"][tokens]
    states = states + weights[f"{embeddings}position_embeddings.weight"][: len(tokens)]
    states = states + weights[f"{embeddings}token_type_embeddings.weight"][0 if types is None else types]
    states = _norm(states, weights, "embeddings.LayerNorm")
    for layer in range(bert.num_layers):
        block = f"encoder.layer.{layer}."
        heads = [
            _linear(states, weights, f"{block}attention.self.{part}").reshape(len(tokens), bert.num_heads, -1)
            for part in ("query", "key", "value")
        ]
        query, key, value = (head.transpose(1, 0, 2) for head in heads)
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True) @ value).transpose(1, 0, 2).reshape(len(tokens), -1)
        states = states + _linear(mixed, weights, f"{block}attention.output.dense")
        states = _norm(states, weights, f"{block}attention.output.LayerNorm")
        inner = _gelu(_linear(states, weights, f"{block}intermediate.dense"))
        states = _norm(states + _linear(inner, weights, f"{block}output.dense"), weights, f"{block}output.LayerNorm")
    return np.asarray(states, np.float32)


def logits(bert: Bert, tokens: npt.NDArray[np.int32], types: npt.NDArray[np.int32] | None = None) -> FloatArray:
    """Return `(num_labels,)`."""
    weights = {name: weight.astype(np.float64) for name, weight in bert.weights.items()}
    first = hidden_states(bert, tokens, types)[:1]
    return np.asarray(_linear(np.tanh(_linear(first, weights, "pooler.dense")), weights, "classifier")[0], np.float32)


def write_bert_gguf(path: Path, bert: Bert, pooling: int | None = 1) -> None:
    """Write the model as llama.cpp's converter would; `pooling` as in `llama_pooling_type`."""
    metadata: dict[str, Value] = {
        "general.architecture": "bert",
        "general.name": "tiny",
        "bert.block_count": bert.num_layers,
        "bert.context_length": bert.max_tokens,
        "bert.embedding_length": bert.width,
        "bert.feed_forward_length": bert.feed_forward,
        "bert.attention.head_count": bert.num_heads,
        "bert.attention.layer_norm_epsilon": _EPSILON,
        "bert.attention.causal": False,
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.token_type_count": 2,
        "tokenizer.ggml.tokens": tuple(map(_in_gguf, VOCABULARY)),
        "tokenizer.ggml.token_type": tuple(3 if _is_special(token) else 1 for token in VOCABULARY),
        "tokenizer.ggml.unknown_token_id": UNKNOWN,
        "tokenizer.ggml.bos_token_id": CLS,
        "tokenizer.ggml.seperator_token_id": SEP,
        "tokenizer.ggml.padding_token_id": PAD,
        "tokenizer.ggml.cls_token_id": CLS,
        "tokenizer.ggml.mask_token_id": MASK,
    }
    if pooling is not None:
        metadata["bert.pooling_type"] = pooling
    if bert.num_labels:
        metadata["bert.classifier.output_labels"] = tuple(f"label {number}" for number in range(bert.num_labels))
    tensors = []
    for name, weight in bert.weights.items():
        chunks = partial(_one, weight)
        tensors.append(Tensor(_name_in_gguf(name), weight.shape, "F32", chunks))
    write_gguf(path, metadata, tensors)


def _one(weight: FloatArray) -> list[FloatArray]:
    return [weight]


def _is_special(token: str) -> bool:
    return token.startswith("[") and token.endswith("]")


def _in_gguf(token: str) -> str:
    """Words begin with a mark of their own there, and continuations with none."""
    if _is_special(token):
        return token
    return token[2:] if token.startswith("##") else "▁" + token


_GGUF_NAMES = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
    "pooler.dense": "cls",
    "classifier": "cls.output",
}


def _name_in_gguf(name: str) -> str:
    stem, _, kind = name.rpartition(".")
    if not stem.startswith("encoder.layer."):
        return f"{_GGUF_NAMES[stem]}.{kind}"
    layer, _, part = stem.removeprefix("encoder.layer.").partition(".")
    return f"blk.{layer}.{_GGUF_NAMES[part]}.{kind}"


def _linear(inputs: FloatArray, weights: dict[str, FloatArray], name: str) -> FloatArray:
    return inputs @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _norm(states: FloatArray, weights: dict[str, FloatArray], name: str) -> FloatArray:
    centred = states - states.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + _EPSILON)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _gelu(values: FloatArray) -> FloatArray:
    return values * 0.5 * (1 + np.vectorize(math.erf)(values / math.sqrt(2)))

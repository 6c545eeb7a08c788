"""Decoders of the Llama family in plain NumPy and float64, from their files: what every way to run them is held to."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from appliance.backends.tvm.source import whole
from appliance.backends.tvm.sources import open_source
from kernels.quantization import Bits, dequantize_activations, dequantize_weights, quantize_activations
from kernels.shape import LayerMatrix

Floats = npt.NDArray[np.float64]

_MATRICES: dict[str, LayerMatrix] = {
    "attn_q": "qkv",
    "attn_k": "qkv",
    "attn_v": "qkv",
    "attn_output": "output",
    "ffn_gate": "gate_up",
    "ffn_up": "gate_up",
    "ffn_down": "down",
}


class ReferenceDecoder:
    """All weights as numbers; no cache: every call computes the whole text.

    With `rounds_as_kernels`, rows are rounded to 8 bits wherever a matrix reads them, as our kernels do it.
    """

    def __init__(self, path: Path, *, rounds_as_kernels: bool = False) -> None:
        self._source = open_source(path)
        self._shape = self._source.shape
        self._rounds = rounds_as_kernels

    def logits(self, tokens: npt.NDArray[np.int32]) -> Floats:
        """Return `(num_tokens, vocab_size)`."""
        shape, source = self._shape, self._source
        x = self._matrix("token_embd.weight")[tokens]
        for layer in range(len(shape.layers)):
            block = f"blk.{layer}."
            x = x + self._attention(self._norm(x, f"{block}attn_norm.weight"), block)
            normed = self._norm(x, f"{block}ffn_norm.weight")
            gate = self._product(normed, f"{block}ffn_gate.weight")
            up = self._product(normed, f"{block}ffn_up.weight")
            x = x + self._product(gate / (1 + np.exp(-gate)) * up, f"{block}ffn_down.weight")
        head = "output.weight" if source.has("output.weight") else "token_embd.weight"
        return self._product(self._norm(x, "output_norm.weight"), head)

    def _attention(self, x: Floats, block: str) -> Floats:
        heads, num_tokens = self._shape.heads, len(x)
        queries, keys, values = (self._projected(x, f"{block}attn_{name}") for name in "qkv")
        queries, keys = (self._turned(each) for each in (queries, keys))
        keys, values = (np.repeat(each, heads.group, axis=1) for each in (keys, values))
        scores = np.einsum("qhd,khd->hqk", queries, keys) * heads.size**-0.5
        scores[:, ~np.tri(num_tokens, dtype=bool)] = -np.inf
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        attended = np.einsum("hqk,khd->qhd", weights, values).reshape(num_tokens, -1)
        return self._product(attended, f"{block}attn_output.weight")

    def _projected(self, x: Floats, name: str) -> Floats:
        """Return `(num_tokens, heads, size)`, biased and normed where the model does so."""
        heads = self._shape.heads
        projected = self._product(x, f"{name}.weight")
        if heads.has_bias:
            projected = projected + self._source.tensor(f"{name}.bias")
        result: Floats = projected.reshape(len(x), -1, heads.size)
        if heads.norm_epsilon is not None and not name.endswith("v"):
            result = _normed(result, heads.norm_epsilon) * self._source.tensor(f"{name}_norm.weight")
        return result

    def _turned(self, per_head: Floats) -> Floats:
        angles = np.arange(len(per_head))[:, None] * self._source.rope.frequencies
        cosines, sines = np.cos(angles)[:, None], np.sin(angles)[:, None]
        x, y = np.split(per_head, 2, axis=-1)
        return np.concatenate((x * cosines - y * sines, y * cosines + x * sines), axis=-1)

    def _norm(self, x: Floats, name: str) -> Floats:
        return _normed(x, self._shape.norm_epsilon) * self._source.tensor(name)

    def _product(self, x: Floats, name: str) -> Floats:
        rows = dequantize_activations(quantize_activations(x.astype(np.float32))) if self._rounds else x
        return rows @ self._matrix(name).T

    def _matrix(self, name: str) -> Floats:
        return dequantize_weights(whole(self._source.pieces(name, self._bits_of(name)))).astype(np.float64)

    def _bits_of(self, name: str) -> Bits:
        shape = self._shape
        if name == "token_embd.weight":
            return shape.embedding_bits or shape.head_bits
        if name == "output.weight":
            return shape.head_bits
        _, layer, tensor, _ = name.split(".")
        return shape.matrix(_MATRICES[tensor], int(layer))[2]


def _normed(x: Floats, epsilon: float) -> Floats:
    result: Floats = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + epsilon)
    return result

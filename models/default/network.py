"""The embedded model as a function: a small Qwen2 network in PyTorch, its weights named as in a GGUF file.

Source: "Qwen2 Technical Report" (2024); rotary positions in halves (Su et al. 2021, in the layout that GGUF keeps
for the `qwen2` architecture); the input embedding serves as the output layer, too.
"""

import torch
from torch.nn import functional

from models.default.shape import Shape

Weights = dict[str, torch.Tensor]


def initial_weights(shape: Shape, seed: int) -> Weights:
    """Return random weights; the seed decides them."""
    generator = torch.Generator().manual_seed(seed)
    depth_scale = (2 * shape.num_layers) ** -0.5

    def matrix(rows: int, columns: int, scale: float = 1.0) -> torch.Tensor:
        return torch.randn(rows, columns, generator=generator) * 0.05 * scale

    weights = {"token_embd.weight": matrix(shape.vocabulary_size, shape.width)}
    for layer in range(shape.num_layers):
        block = f"blk.{layer}."
        weights[block + "attn_norm.weight"] = torch.ones(shape.width)
        weights[block + "ffn_norm.weight"] = torch.ones(shape.width)
        for name, rows in (("q", shape.width), ("k", shape.kv_width), ("v", shape.kv_width)):
            weights[f"{block}attn_{name}.weight"] = matrix(rows, shape.width)
            weights[f"{block}attn_{name}.bias"] = torch.zeros(rows)
        weights[block + "attn_output.weight"] = matrix(shape.width, shape.width, depth_scale)
        weights[block + "ffn_gate.weight"] = matrix(shape.feed_forward, shape.width)
        weights[block + "ffn_up.weight"] = matrix(shape.feed_forward, shape.width)
        weights[block + "ffn_down.weight"] = matrix(shape.width, shape.feed_forward, depth_scale)
    weights["output_norm.weight"] = torch.ones(shape.width)
    return weights


def logits(weights: Weights, shape: Shape, tokens: torch.Tensor) -> torch.Tensor:
    """Return (batch, num_tokens, vocabulary) for tokens of (batch, num_tokens)."""
    rotation = _rotation(shape, tokens.shape[1])
    hidden = functional.embedding(tokens, weights["token_embd.weight"])
    for layer in range(shape.num_layers):
        block = f"blk.{layer}."
        normed = _norm(hidden, weights[block + "attn_norm.weight"], shape)
        hidden = hidden + _attention(weights, block, shape, normed, rotation)
        normed = _norm(hidden, weights[block + "ffn_norm.weight"], shape)
        gate = functional.silu(functional.linear(normed, weights[block + "ffn_gate.weight"]))
        up = functional.linear(normed, weights[block + "ffn_up.weight"])
        hidden = hidden + functional.linear(gate * up, weights[block + "ffn_down.weight"])
    return functional.linear(_norm(hidden, weights["output_norm.weight"], shape), weights["token_embd.weight"])


def _norm(hidden: torch.Tensor, gain: torch.Tensor, shape: Shape) -> torch.Tensor:
    return functional.rms_norm(hidden, (shape.width,), gain, shape.norm_epsilon)


def _attention(
    weights: Weights, block: str, shape: Shape, hidden: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor]
) -> torch.Tensor:
    batch, num_tokens, _ = hidden.shape

    def project(name: str) -> torch.Tensor:
        flat = functional.linear(hidden, weights[f"{block}attn_{name}.weight"], weights[f"{block}attn_{name}.bias"])
        return flat.view(batch, num_tokens, -1, shape.head_width).transpose(1, 2)

    mixed = functional.scaled_dot_product_attention(
        _rotate(project("q"), rotation), _rotate(project("k"), rotation), project("v"), is_causal=True, enable_gqa=True
    )
    flat = mixed.transpose(1, 2).reshape(batch, num_tokens, shape.width)
    return functional.linear(flat, weights[block + "attn_output.weight"])


def _rotation(shape: Shape, num_tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cosines and sines of each position, (num_tokens, head_width)."""
    frequencies = shape.rope_base ** (-torch.arange(0, shape.head_width, 2) / shape.head_width)
    angles = torch.outer(torch.arange(num_tokens), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def _rotate(heads: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    first, second = heads.chunk(2, dim=-1)
    cosine, sine = rotation
    return heads * cosine + torch.cat((-second, first), dim=-1) * sine

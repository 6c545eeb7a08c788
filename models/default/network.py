"""The embedded model as a function: a small Llama network in PyTorch, its weights named as Hugging Face names them.

Source: Touvron et al. 2023 (LLaMA); rotary positions of Su et al. 2021, in halves, as transformers' LlamaForCausalLM
has them; grouped-query attention of Ainslie et al. 2023. The input embedding serves as the output layer, too.
"""

import torch
from torch.nn import functional

from models.default.shape import Shape

Weights = dict[str, torch.Tensor]
Rotation = tuple[torch.Tensor, torch.Tensor]

EMBEDDING = "model.embed_tokens.weight"
FINAL_NORM = "model.norm.weight"


def initial_weights(shape: Shape, seed: int) -> Weights:
    """Return random weights; the seed decides them."""
    generator = torch.Generator().manual_seed(seed)
    depth_scale = (2 * shape.num_layers) ** -0.5

    def matrix(rows: int, columns: int, scale: float = 1.0) -> torch.Tensor:
        return torch.randn(rows, columns, generator=generator) * 0.04 * scale

    weights = {EMBEDDING: matrix(shape.vocabulary_size, shape.width)}
    for layer in range(shape.num_layers):
        block = f"model.layers.{layer}."
        weights[block + "input_layernorm.weight"] = torch.ones(shape.width)
        weights[block + "self_attn.q_proj.weight"] = matrix(shape.width, shape.width)
        weights[block + "self_attn.k_proj.weight"] = matrix(shape.kv_width, shape.width)
        weights[block + "self_attn.v_proj.weight"] = matrix(shape.kv_width, shape.width)
        weights[block + "self_attn.o_proj.weight"] = matrix(shape.width, shape.width, depth_scale)
        weights[block + "post_attention_layernorm.weight"] = torch.ones(shape.width)
        weights[block + "mlp.gate_proj.weight"] = matrix(shape.feed_forward, shape.width)
        weights[block + "mlp.up_proj.weight"] = matrix(shape.feed_forward, shape.width)
        weights[block + "mlp.down_proj.weight"] = matrix(shape.width, shape.feed_forward, depth_scale)
    weights[FINAL_NORM] = torch.ones(shape.width)
    return weights


def hidden_states(weights: Weights, shape: Shape, tokens: torch.Tensor) -> torch.Tensor:
    """Return what the output layer reads, (batch, num_tokens, width), for tokens of (batch, num_tokens)."""
    rotation = rotary_angles(shape, tokens.shape[1])
    hidden = functional.embedding(tokens, weights[EMBEDDING])
    for layer in range(shape.num_layers):
        block = f"model.layers.{layer}."
        normed = _norm(hidden, weights[block + "input_layernorm.weight"], shape)
        hidden = hidden + _attention(weights, block + "self_attn.", shape, normed, rotation)
        normed = _norm(hidden, weights[block + "post_attention_layernorm.weight"], shape)
        gate = functional.silu(functional.linear(normed, weights[block + "mlp.gate_proj.weight"]))
        up = functional.linear(normed, weights[block + "mlp.up_proj.weight"])
        hidden = hidden + functional.linear(gate * up, weights[block + "mlp.down_proj.weight"])
    return _norm(hidden, weights[FINAL_NORM], shape)


def logits(weights: Weights, shape: Shape, tokens: torch.Tensor) -> torch.Tensor:
    """Return (batch, num_tokens, vocabulary) for tokens of (batch, num_tokens)."""
    return functional.linear(hidden_states(weights, shape, tokens), weights[EMBEDDING])


def rotary_angles(shape: Shape, num_tokens: int) -> Rotation:
    """Return the cosines and sines of each position, (num_tokens, head_width)."""
    frequencies = shape.rope_base ** (-torch.arange(0, shape.head_width, 2) / shape.head_width)
    angles = torch.outer(torch.arange(num_tokens), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def _norm(hidden: torch.Tensor, gain: torch.Tensor, shape: Shape) -> torch.Tensor:
    return functional.rms_norm(hidden, (shape.width,), gain, shape.norm_epsilon)


def _attention(weights: Weights, prefix: str, shape: Shape, hidden: torch.Tensor, rotation: Rotation) -> torch.Tensor:
    batch, num_tokens, _ = hidden.shape

    def project(name: str) -> torch.Tensor:
        flat = functional.linear(hidden, weights[f"{prefix}{name}_proj.weight"])
        return flat.view(batch, num_tokens, -1, shape.head_width).transpose(1, 2)

    mixed = functional.scaled_dot_product_attention(
        _rotate(project("q"), rotation), _rotate(project("k"), rotation), project("v"), is_causal=True, enable_gqa=True
    )
    flat = mixed.transpose(1, 2).reshape(batch, num_tokens, shape.width)
    return functional.linear(flat, weights[f"{prefix}o_proj.weight"])


def _rotate(heads: torch.Tensor, rotation: Rotation) -> torch.Tensor:
    first, second = heads.chunk(2, dim=-1)
    cosine, sine = (part.to(heads.dtype) for part in rotation)
    return heads * cosine + torch.cat((-second, first), dim=-1) * sine

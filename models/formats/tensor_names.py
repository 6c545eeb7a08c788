"""What the tensors of the Llama family are called in a Hugging Face folder, and what in a GGUF file. Pure.

Source: llama.cpp, gguf-py/gguf/tensor_mapping.py.
"""

import re

OUTPUT = "lm_head.weight"
"""Some folders hold it once more although the embedding is it."""

NOT_LEARNED = ".rotary_emb.inv_freq"
"""How names in old folders end that hold the frequencies of positions, which follow from the configuration."""

_OUTSIDE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    OUTPUT: "output.weight",
}
_INSIDE = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "self_attn.qkv_proj": "attn_qkv",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.gate_up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_LAYER = re.compile(r"model\.layers\.(0|[1-9]\d{0,3})\.(.+)\.(weight|bias)")


def gguf_name(name: str) -> str | None:
    """Return what a tensor of a folder is called in a GGUF file, None for one that is not known."""
    layer = _LAYER.fullmatch(name)
    if layer is None:
        return _OUTSIDE.get(name)
    part = _INSIDE.get(layer[2])
    return None if part is None else f"blk.{layer[1]}.{part}.{layer[3]}"


def gguf_target(target: str) -> str | None:
    """Return what a matrix that an adapter changes is called in GGUF: adapters may leave out how its name begins."""
    is_whole = target.startswith("model.") or target == OUTPUT
    return gguf_name(target if is_whole else f"model.{target}")

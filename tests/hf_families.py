"""A tiny model of a family, and what transformers makes of a text: `hf_families.py FAMILY FOLDER`, in an environment
with PyTorch. `reference.npz` in the folder holds `tokens` and `logits`, (num_tokens, vocabulary).
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

WINDOW_TOKENS, NUM_TOKENS, VOCABULARY = 64, 100, 4096
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
PHI3_SIZES = {"original_max_position_embeddings": SIZES["max_position_embeddings"]}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {"head_dim": 32}),
    "mistral": ("Mistral", {"sliding_window": None}),
    "mistral-window": ("Mistral", {"sliding_window": WINDOW_TOKENS}),
    "phi3": ("Phi3", {"sliding_window": None, **PHI3_SIZES}),
    "phi3-window": ("Phi3", {"sliding_window": WINDOW_TOKENS, **PHI3_SIZES}),
    "gemma": ("Gemma", {"head_dim": 32}),
    "gemma2": ("Gemma2", {"head_dim": 32, "sliding_window": WINDOW_TOKENS}),
    "gemma3": ("Gemma3", {"head_dim": 32, "sliding_window": WINDOW_TOKENS, "sliding_window_pattern": 2}),
}


def _scaled(**rope: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_theta": 10000.0, "factor": 4.0, **rope}}


ORIGINAL = {"original_max_position_embeddings": SIZES["max_position_embeddings"] // 4}
LLAMA_3 = {"rope_type": "llama3", "low_freq_factor": 1.0, "high_freq_factor": 4.0, **ORIGINAL}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama-tied": ("Llama", {"tie_word_embeddings": True}),
    "llama-bias": ("Llama", {"attention_bias": True, "head_dim": 48}),
    "llama-3": ("Llama", _scaled(**LLAMA_3)),
    "llama-linear": ("Llama", _scaled(rope_type="linear")),
    "qwen3-yarn": ("Qwen3", {"head_dim": 32, **_scaled(rope_type="yarn", **ORIGINAL)}),
    "qwen2-yarn": ("Qwen2", _scaled(rope_type="yarn", attention_factor=1.3, beta_fast=16, **ORIGINAL)),
}
"""What the families of Llama differ in beside their names, for converters that read the configuration themselves."""


def main(family: str, folder: Path) -> None:
    """Write both; the weights are random and always the same."""
    import torch
    import transformers

    name, own = (FAMILIES | VARIANTS)[family]
    torch.manual_seed(0)
    kind = "Gemma3TextConfig" if name == "Gemma3" else f"{name}Config"
    config = getattr(transformers, kind)(**SIZES | own)
    model = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    model.save_pretrained(folder)
    tokens = np.random.default_rng(0).integers(3, VOCABULARY, NUM_TOKENS).astype(np.int32)
    with torch.no_grad():
        logits = model(torch.tensor(tokens[None], dtype=torch.long)).logits[0].numpy()
    np.savez(folder / "reference.npz", tokens=tokens, logits=logits)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

"""Tiny bases and adapters for them, in both formats."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.formats.gguf_writer import Tensor, write_gguf

WIDTH, HIDDEN, TOKENS, RANK = 8, 16, 24, 4
BASE_SHAPES = {
    "token_embd.weight": (TOKENS, WIDTH),
    "blk.0.attn_q.weight": (WIDTH, WIDTH),
    "blk.0.ffn_up.weight": (HIDDEN, WIDTH),
    "blk.0.ffn_down.weight": (WIDTH, HIDDEN),
}


def write_tensors(path: Path, metadata: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> Path:
    """Write a GGUF file of zeros."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = [
        Tensor(name, shape, "F32", lambda shape=shape: [np.zeros(shape, np.float32)]) for name, shape in shapes.items()
    ]
    write_gguf(path, metadata, tensors)
    return path


def write_base(path: Path, architecture: str = "llama", shapes: Mapping[str, tuple[int, ...]] = BASE_SHAPES) -> Path:
    return write_tensors(path, {"general.architecture": architecture}, shapes)


def pair(target: str, rank: int = RANK) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the pair that changes a tensor of the base."""
    out, inner = BASE_SHAPES[target]
    if target.startswith("token_embd"):
        return {f"{target}.lora_a": (out, rank), f"{target}.lora_b": (inner, rank)}
    return {f"{target}.lora_a": (rank, inner), f"{target}.lora_b": (out, rank)}


def write_lora(path: Path, shapes: Mapping[str, tuple[int, ...]] | None = None, **said: Any) -> Path:
    metadata = {
        "general.type": "adapter",
        "general.architecture": "llama",
        "general.name": "Tone",
        "adapter.type": "lora",
        "adapter.lora.alpha": 16.0,
        **{key.replace("__", "."): value for key, value in said.items()},
    }
    shapes = pair("blk.0.attn_q.weight") | pair("blk.0.ffn_down.weight") if shapes is None else shapes
    return write_tensors(path, {key: value for key, value in metadata.items() if value is not None}, shapes)


def write_safetensors(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Path:
    """Write a file of zeros."""
    header: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + int(np.prod(shape)) * 4
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(end))
    return path


PEFT_SHAPES = {
    "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": (RANK, WIDTH),
    "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": (WIDTH, RANK),
    "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight": (RANK, HIDDEN),
    "base_model.model.model.layers.0.mlp.down_proj.lora_B.weight": (WIDTH, RANK),
}


def write_peft(folder: Path, shapes: Mapping[str, tuple[int, ...]] = PEFT_SHAPES, **config: Any) -> Path:
    write_safetensors(folder / "adapter_model.safetensors", shapes)
    said = {"peft_type": "LORA", "r": RANK, "lora_alpha": 8, "base_model_name_or_path": "acme/tiny", **config}
    (folder / "adapter_config.json").write_text(json.dumps(said))
    return folder

"""LoRA adapters with random weights for a GGUF file of floats, and the same file with adapters merged into it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.formats.gguf import read_gguf
from models.formats.gguf_writer import Tensor, write_gguf
from tests.safetensors_writer import write_safetensors

Floats = npt.NDArray[np.float32]
CHANGED = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_down": "mlp.down_proj",
}
"""The matrices that adapters here change, in GGUF's words and in those of Hugging Face."""


@dataclass(frozen=True, slots=True)
class RandomLora:
    """The pairs by the tensor that they change; `alpha` as the file says it."""

    architecture: str
    pairs: Mapping[str, tuple[Floats, Floats]]
    rank: int
    alpha: float

    def delta(self, name: str, scale: float = 1.0) -> Floats:
        """Return what is added to a tensor."""
        a, b = self.pairs[name]
        return (b @ a) * np.float32(scale * self.alpha / self.rank)


def random_lora(base: Path, seed: int, *, rank: int = 4, alpha: float = 8.0, size: float = 0.1) -> RandomLora:
    """Return an adapter for a file; the same seed gives the same numbers."""
    random, head = np.random.default_rng(seed), read_gguf(base)

    def matrix(rows: int, columns: int) -> Floats:
        return random.standard_normal((rows, columns), dtype=np.float32) * np.float32(size)

    changed = [each for each in head.tensors if len(each.shape) == 2 and each.name.split(".")[-2] in CHANGED]
    pairs = {each.name: (matrix(rank, each.shape[1]), matrix(each.shape[0], rank)) for each in changed}
    return RandomLora(str(head.metadata["general.architecture"]), pairs, rank, alpha)


def write_lora(path: Path, lora: RandomLora) -> Path:
    """Write the adapter as GGUF."""
    metadata = {
        "general.type": "adapter",
        "general.architecture": lora.architecture,
        "adapter.type": "lora",
        "adapter.lora.alpha": lora.alpha,
    }
    tensors = [
        _tensor(f"{name}.lora_{half}", values)
        for name, pair in lora.pairs.items()
        for half, values in zip("ab", pair, strict=True)
    ]
    write_gguf(path, metadata, tensors)
    return path


def write_peft(folder: Path, lora: RandomLora, *, head_width: int, dtype: str = "F32", **config: Any) -> Path:
    """Write the adapter as PEFT does, with the rows of a Llama's queries and keys in Hugging Face's order."""
    folder.mkdir()
    tensors = {}
    for name, (a, b) in lora.pairs.items():
        _, layer, kind, _ = name.split(".")
        module = f"base_model.model.model.layers.{layer}.{CHANGED[kind]}"
        is_ordered = lora.architecture == "llama" and kind in ("attn_q", "attn_k")
        tensors[f"{module}.lora_A.weight"] = a
        tensors[f"{module}.lora_B.weight"] = _in_halves(b, head_width) if is_ordered else b
    write_safetensors(folder / "adapter_model.safetensors", tensors, dtype)
    said = {"peft_type": "LORA", "r": lora.rank, "lora_alpha": lora.alpha, **config}
    (folder / "adapter_config.json").write_text(json.dumps(said))
    return folder


def _in_halves(values: Floats, head_width: int) -> Floats:
    """Return rows that lie as rotary pairs, pair beside pair, as two halves of each head."""
    return values.reshape(-1, head_width // 2, 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape)


def write_merged(path: Path, base: Path, loras: Sequence[tuple[RandomLora, float]]) -> Path:
    """Write a base of F32 with adapters added to its weights, each as strongly as is said."""
    head, content = read_gguf(base), bytearray(base.read_bytes())
    for info in head.tensors:
        start = info.offset_bytes
        values = np.frombuffer(content, "<f4", info.size_bytes // 4, start).reshape(info.shape)
        deltas = [lora.delta(info.name, scale) for lora, scale in loras if info.name in lora.pairs]
        merged = values + sum(deltas, np.zeros(info.shape, np.float32))
        content[start : start + info.size_bytes] = merged.astype("<f4").tobytes()
    path.write_bytes(content)
    return path


def _tensor(name: str, values: Floats) -> Tensor:
    return Tensor(name, values.shape, "F32", lambda: [values])

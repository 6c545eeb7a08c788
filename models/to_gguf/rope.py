"""How positions are stretched beyond the lengths of the training, in GGUF's words.

Sources: transformers, `modeling_rope_utils.py`; llama.cpp, `llama-model.cpp` (the keys `rope.scaling.*`) and
`ggml_rope_yarn`, which multiplies a factor for attention of its own.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.formats.gguf_writer import Value
from models.formats.quantize import Floats
from models.to_gguf.refusal import NotConvertible

_USUAL_BASE = 10000.0


@dataclass(frozen=True, slots=True)
class Rope:
    """The base of the frequencies, what is said of their scaling, and what divides each one where that differs.

    `scaling` has keys behind `rope.scaling.`.
    """

    base: float
    scaling: Mapping[str, Value] = field(default_factory=dict)
    factors: Floats | None = None


def read_rope(config: Mapping[str, Any], head_width: int, context_tokens: int) -> Rope:
    """Return what a configuration says, in the words of any version. Raises: NotConvertible."""
    said = (config.get("rope_scaling") or {}, config.get("rope_parameters") or {})
    if not all(isinstance(part, dict) for part in said):
        raise NotConvertible("its configuration says of its positions what is not understood")
    fields = {**said[0], **said[1]}
    base = _number(fields, "rope_theta", config.get("rope_theta") or _USUAL_BASE)
    if _number(fields, "partial_rotary_factor", config.get("partial_rotary_factor") or 1.0) != 1.0:
        raise NotConvertible("only a part of each head is rotated, which is not converted yet")
    kind = fields.get("rope_type") or fields.get("type") or "default"
    if kind == "default":
        return Rope(base)
    if kind == "linear":
        return Rope(base, {"type": "linear", "factor": _number(fields, "factor")})
    if kind == "yarn":
        return Rope(base, _yarn(fields, context_tokens))
    if kind == "llama3":
        return Rope(base, factors=_llama3_factors(fields, base, head_width))
    raise NotConvertible(f"its positions are scaled by {kind!r}; linear, yarn and llama3 can be converted")


def _yarn(fields: Mapping[str, Any], context_tokens: int) -> dict[str, Value]:
    if fields.get("truncate") is False or fields.get("mscale") or fields.get("mscale_all_dim"):
        raise NotConvertible("its positions are scaled by a variant of yarn that is not converted yet")
    factor = _number(fields, "factor")
    own_factor = 1 + 0.1 * math.log(factor) if factor > 1 else 1.0
    scaling: dict[str, Value] = {
        "type": "yarn",
        "factor": factor,
        "original_context_length": int(_number(fields, "original_max_position_embeddings", context_tokens)),
    }
    for name, key in (("beta_fast", "yarn_beta_fast"), ("beta_slow", "yarn_beta_slow")):
        if fields.get(name) is not None:
            scaling[key] = _number(fields, name)
    if fields.get("attention_factor") is not None:
        scaling["attn_factor"] = _number(fields, "attention_factor") / own_factor
    return scaling


def _llama3_factors(fields: Mapping[str, Any], base: float, head_width: int) -> Floats:
    """Return what divides each frequency: 1 for short waves, the factor for long ones, and a slope between."""
    factor, low, high = (_number(fields, name) for name in ("factor", "low_freq_factor", "high_freq_factor"))
    original_tokens = _number(fields, "original_max_position_embeddings")
    if high <= low:
        raise NotConvertible("its rope_scaling has a high_freq_factor that is not above low_freq_factor")
    wavelengths = 2 * np.pi * base ** (np.arange(0, head_width, 2, dtype=np.float64) / head_width)
    share = np.clip((original_tokens / wavelengths - low) / (high - low), 0, 1)
    return (1 / ((1 - share) / factor + share)).astype(np.float32)


def _number(fields: Mapping[str, Any], name: str, default: Any = None) -> float:
    value = fields.get(name, default)
    if value is None:
        value = default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise NotConvertible(f"its configuration says {name} = {value!r}, which is not a positive number")
    return float(value)

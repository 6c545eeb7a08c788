"""How fast the pairs of a head turn, as a Hugging Face configuration says it. Pure.

Source: transformers, `modeling_rope_utils`: the types "default", "linear" and "llama3".
"""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from appliance.backends.tvm.source import NotServable

Frequencies = npt.NDArray[np.float64]

_DEFAULT_BASE = 10_000.0


class _Scaling(msgspec.Struct, frozen=True):
    """Later versions keep the base in here, too; earlier ones called the type `type`."""

    rope_theta: float | None = None
    rope_type: str | None = None
    type: str | None = None
    partial_rotary_factor: float | None = None
    factor: float | None = None
    low_freq_factor: float | None = None
    high_freq_factor: float | None = None
    original_max_position_embeddings: int | None = None


def rope_frequencies(head_size: int, base: float | None, fields: dict[str, Any] | None) -> Frequencies:
    """Return `(head_size / 2,)`; `base` and `fields` are `rope_theta` and `rope_scaling`, or `rope_parameters`.

    Raises: NotServable.
    """
    try:
        scaling = msgspec.convert(fields or {}, _Scaling)
    except msgspec.ValidationError as error:
        raise NotServable(f"its rotary embedding is described in an unknown way: {error}") from None
    if scaling.partial_rotary_factor not in (None, 1.0):
        raise NotServable("only a part of each head turns with its position")
    base = _positive("rope_theta", scaling.rope_theta or base or _DEFAULT_BASE)
    frequencies: Frequencies = base ** (-np.arange(0, head_size, 2, dtype=np.float64) / head_size)
    kind = scaling.rope_type or scaling.type or "default"
    if kind == "default":
        return frequencies
    if kind == "linear":
        return frequencies / _positive("factor", scaling.factor)
    if kind == "llama3":
        return _as_llama_3(frequencies, scaling)
    raise NotServable(f"its rotary embedding is scaled by {kind!r}, which our kernels do not compute yet")


def _as_llama_3(frequencies: Frequencies, scaling: _Scaling) -> Frequencies:
    """Slow down what turns less than `low` times within the old context, leave what turns more than `high` times."""
    factor = _positive("factor", scaling.factor)
    low, high = (_positive(f"{name}_freq_factor", getattr(scaling, f"{name}_freq_factor")) for name in ("low", "high"))
    old_context = _positive("original_max_position_embeddings", scaling.original_max_position_embeddings)
    if high <= low:
        raise NotServable("its rotary embedding has a high_freq_factor that is not above the low one")
    turns = old_context * frequencies / (2 * np.pi)
    kept = np.clip((turns - low) / (high - low), 0, 1)
    result: Frequencies = frequencies * (kept + (1 - kept) / factor)
    return result


def _positive(name: str, value: float | None) -> float:
    if value is None or not value > 0 or value == float("inf"):
        raise NotServable(f"its rotary embedding's {name} is {value}, not a positive number")
    return float(value)

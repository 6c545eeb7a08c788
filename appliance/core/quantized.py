"""What is measured of several types of one model: a table of size, quality and speed, and what it recommends."""

import msgspec

from .admin import ModelLoss


class MeasuredType(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One type of a model's weights. The model that all were made of has no `quality`: it is what they are held to.

    `model` is what it is called where it became a model here, `problem` why there is nothing to measure.
    `is_disturbed` says that other programs were at work while the speeds were measured: they mean little then.
    """

    type: str
    size_bytes: int | None = None
    prefill_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None
    quality: ModelLoss | None = None
    is_within: bool = True
    is_disturbed: bool = False
    model: str | None = None
    problem: str | None = None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The types of a model, the one they were made of first; `recommended` None: none of the new ones is."""

    model: str
    rows: tuple[MeasuredType, ...]
    recommended: str | None
    reason: str
    num_threads: int


class KeptModels(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a job that tried several types: which became models, and what was measured of all."""

    models: tuple[str, ...]
    comparison: Comparison

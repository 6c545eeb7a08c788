"""How fast a model was found to be in each way of running it here, and which way was taken for it."""

from typing import Literal

import msgspec

from .traits import ModelTask


class PrefillSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a prompt (or, by a model without text to write, an input) of so many tokens was read."""

    num_tokens: int
    tokens_per_s: float


class ModelSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """Speeds in tokens a second, of all sequences together: prompts of two lengths, then one and eight that generate.

    A model that does not write has no speeds of decoding.
    """

    prefill: tuple[PrefillSpeed, ...]
    decode_1_tokens_per_s: float | None = None
    decode_8_tokens_per_s: float | None = None


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One way of running a model, as it was measured on this machine. Times are seconds since 1970.

    `memory_bytes` is what the process took at its peak beside what it takes without a model, `estimated_bytes` what was
    expected of the same plan. `is_disturbed`: other programs were at work, so it says nothing and is chosen by nobody.
    """

    speed: ModelSpeed
    memory_bytes: int
    estimated_bytes: int
    threads_decode: int
    threads_prefill: int
    measured_s: float
    is_disturbed: bool = False


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One way of running a model: a form of it on a backend. `variant` is what `NAME@variant` forces it with.

    `is_ready` False: it cannot be had as it is (it has to be compiled or converted, or the backend does not run), and
    `mend` is the command that changes that. `time_ratio` is how long the usual work takes there compared to the fastest
    that may be chosen, None where nothing is known. `loss_ratio` is what this form lost against the original.
    """

    variant: str
    backend: str
    device: str
    model: str
    format: str
    quantization: str | None
    is_chosen: bool
    is_ready: bool
    reason: str
    mend: str | None = None
    speed: ModelSpeed | None = None
    is_measured: bool = False
    memory_bytes: int | None = None
    loss_ratio: float | None = None
    time_ratio: float | None = None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/explain/{name}`: what would be taken on this machine now, and why not the others.

    The chosen candidate stands first, the others by their speed. `chosen_by`: a name with `@`, a setting, what was
    measured, or what was predicted until it is. `problem` says why nothing can be taken, if so; `reasons` are those of
    the plan.
    """

    model: str
    task: ModelTask
    chosen_by: Literal["name", "setting", "measurement", "prediction", "only one"] | None
    candidates: tuple[Candidate, ...]
    reasons: tuple[str, ...] = ()
    context_tokens: int | None = None
    kv_type: str | None = None
    threads_decode: int | None = None
    threads_prefill: int | None = None
    problem: str | None = None

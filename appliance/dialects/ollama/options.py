"""`options`: what they are by name, their defaults, and what they mean in core.

Options that choose how a model is loaded (`num_gpu`, `num_thread`, `num_batch`, `use_mmap` and others) are ignored, as
is every unknown name: here the appliance chooses. So are `num_keep`, since no conversation is shifted out of its
context, and `penalize_newline`, which Ollama dropped.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from appliance.core.sampling import SamplingParams, StopConditions
from appliance.errors import InvalidRequest
from models.manifest import ModelPreset

# Clients write whole numbers either way, 1 or 1.0
Number = int | float

_DEFAULTS = {"temperature": 0.8, "top_k": 40, "top_p": 0.9}
"""Source: Ollama, docs/modelfile.mdx. Its repeat_penalty is 1.0 there; up to 2025 it was 1.1."""

_MAX = 2**31 - 1
# What would change how tokens are drawn and is not offered, with the value that asks for nothing
_NOT_OFFERED = {"mirostat": 0, "tfs_z": 1}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Those that mean something here. None: the caller, or the model's maker, left the choice to us."""

    num_predict: Number | None = None
    num_ctx: Number | None = None
    temperature: Annotated[float, Meta(ge=0, le=1000)] | None = None
    top_k: Number | None = None
    top_p: Number | None = None
    min_p: Number | None = None
    typical_p: Number | None = None
    seed: Number | None = None
    stop: str | Annotated[list[str], Meta(max_length=64)] | None = None
    repeat_penalty: Annotated[float, Meta(gt=0, le=1000)] | None = None
    repeat_last_n: Number | None = None
    presence_penalty: Annotated[float, Meta(ge=-1000, le=1000)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-1000, le=1000)] | None = None
    mirostat: Number | None = None
    tfs_z: Number | None = None


def merged(options: Options | None, preset: ModelPreset | None) -> Options:
    """Return what the caller chose and, where it was silent, what the model's maker did. Raises: InvalidRequest."""
    made: dict[str, Any] = dict(preset.parameters) if preset else {}
    asked = msgspec.to_builtins(options) if options else {}
    both = msgspec.convert(made | {name: value for name, value in asked.items() if value is not None}, Options)
    for name, neutral in _NOT_OFFERED.items():
        if getattr(both, name) not in (None, neutral):
            raise InvalidRequest(f"'options.{name}' is not supported by this version; leave it out", param="options")
    return both


def sampling_of(options: Options) -> SamplingParams:
    """Return the distribution asked for, with Ollama's defaults where nobody chose."""
    seed, window = options.seed, 64 if options.repeat_last_n is None else int(options.repeat_last_n)
    asked: dict[str, Any] = {
        "temperature": options.temperature,
        "top_k": None if options.top_k is None else min(max(0, int(options.top_k)), _MAX),
        "top_p": _ratio(options.top_p),
        "min_p": _ratio(options.min_p),
        "typical_p": _ratio(options.typical_p) or None,
        "repeat_penalty": options.repeat_penalty if window else None,
        "repeat_window_tokens": min(window, _MAX) if window > 0 else _MAX,
        "presence_penalty": options.presence_penalty,
        "frequency_penalty": options.frequency_penalty,
        "seed": None if seed is None or seed == -1 else int(seed) % 2**64,
    }
    return SamplingParams(**_DEFAULTS | {name: value for name, value in asked.items() if value is not None})


def stop_of(options: Options) -> StopConditions:
    """Return when an answer ends. Neither -1 nor -2 sets a limit: an answer can fill its context and no more."""
    limit = 0 if options.num_predict is None else int(options.num_predict)
    strings = [options.stop] if isinstance(options.stop, str) else options.stop or []
    return StopConditions(max_tokens=min(limit, _MAX) if limit > 0 else None, strings=tuple(filter(None, strings)))


def check_num_ctx(options: Options, model: str, context_tokens: int | None) -> None:
    """Raise InvalidRequest for a context that the model does not have here.

    A smaller one is served with room to spare, so a changed number never reloads a model.
    """
    if options.num_ctx is None or context_tokens is None:
        return
    if options.num_ctx > context_tokens:
        raise InvalidRequest(
            f"'num_ctx' is {int(options.num_ctx)}, and model '{model}' has a context of {context_tokens} tokens here; "
            "ask for no more than that, or let the operator set engine.context_tokens higher",
            param="options.num_ctx",
        )


def _ratio(value: float | None) -> float | None:
    return None if value is None else min(1.0, max(0.0, value))

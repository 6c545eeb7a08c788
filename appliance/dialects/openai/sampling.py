"""The fields that chat and completions share: their ranges, their meaning in core, and what is refused for now."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from appliance.core.request import Priority
from appliance.core.response_cache import CacheMode, CacheScope, CacheWish
from appliance.core.sampling import SamplingParams, StopConditions
from appliance.errors import InvalidRequest

from .constraints import ConstraintFields

Penalty = Annotated[float, Meta(ge=-2, le=2)]
Ratio = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[int, Meta(ge=1, le=2**31 - 1)]
StopString = Annotated[str, Meta(min_length=1)]
StopStrings = Annotated[list[StopString], Meta(max_length=16)]
NumTop = Annotated[int, Meta(ge=0, le=20)]
TokenId = Annotated[int, Meta(ge=0, le=2**31 - 1)]

_SAMPLING_FIELDS = (
    "temperature",
    "top_p",
    "min_p",
    "typical_p",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
)
NotOffered = Mapping[str, tuple[object, ...]]
"""Fields that would change the answer and are not offered, each with the values that ask for nothing."""
NOT_OFFERED: NotOffered = {"mirostat": (None, 0), "modalities": (None, ["text"]), "audio": (None,)}
"""Those of both endpoints."""


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream carries beside its text."""

    include_usage: bool | None = None


class CacheOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the cache of responses may be used; None: as the settings say."""

    mode: CacheMode | None = None
    ttl_s: Annotated[float, Meta(gt=0)] | None = None
    scope: CacheScope | None = None
    semantic: bool = True


class GenerationFields(ConstraintFields, frozen=True, kw_only=True):
    """Every field that both endpoints know. None means that the caller left the choice to us."""

    model: str | None = None
    user: Annotated[str, Meta(max_length=256)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    max_tokens: Positive | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Ratio | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[TokenId, Annotated[float, Meta(ge=-100, le=100)]] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: StopString | StopStrings | None = None
    top_k: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    min_p: Ratio | None = None
    typical_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    repeat_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
    ignore_eos: bool | None = None
    cache_prompt: bool | None = None
    n_probs: NumTop | None = None
    timings_per_token: bool | None = None
    priority: Priority | None = None
    deadline_s: Annotated[float, Meta(gt=0)] | None = None
    cache: CacheOptions | None = None
    modalities: Any = None
    audio: Any = None
    mirostat: Any = None

    @property
    def includes_usage(self) -> bool:
        """Whether a stream ends with a chunk that counts tokens."""
        return bool(self.stream_options and self.stream_options.include_usage)


def refuse_not_offered(fields: GenerationFields, not_offered: NotOffered) -> None:
    """Raise InvalidRequest for the first field that asks for something this version cannot do."""
    for name, neutral in not_offered.items():
        if getattr(fields, name) not in neutral:
            raise InvalidRequest(f"'{name}' is not supported by this version; leave it out", param=name)


def sampling_of(fields: GenerationFields) -> SamplingParams:
    """Return the distribution asked for, with OpenAI's defaults where the caller was silent."""
    asked: dict[str, Any] = {name: getattr(fields, name) for name in _SAMPLING_FIELDS}
    # llama-server and vLLM switch the filter off with -1; random generators take no negative seed
    asked["top_k"] = None if fields.top_k is None else max(fields.top_k, 0)
    asked["seed"] = None if fields.seed is None else fields.seed % 2**64
    return SamplingParams(**{name: value for name, value in asked.items() if value is not None})


def stop_of(fields: GenerationFields, max_tokens: int | None) -> StopConditions:
    """Return when each choice ends."""
    strings = (fields.stop,) if isinstance(fields.stop, str) else tuple(fields.stop or ())
    return StopConditions(max_tokens=max_tokens, strings=strings, ignore_eos=bool(fields.ignore_eos))


def cache_wish_of(fields: GenerationFields) -> CacheWish | None:
    """Return what the caller wants of the response cache, None where nothing was said."""
    cache = fields.cache
    if cache is None:
        return None
    return CacheWish(mode=cache.mode, ttl_s=cache.ttl_s, scope=cache.scope, semantic=cache.semantic)

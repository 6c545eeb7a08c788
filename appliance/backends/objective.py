"""How long the usual work takes at a speed: the one number by which ways of running a model are compared. Pure.

It is the geometric mean over a long prompt, one chat and eight chats at once, so that twice the speed in one of them
counts the same whichever it is. A model that embeds or scores only reads, short inputs and long ones.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from appliance.core.measurement import ModelSpeed, PrefillSpeed

NOISE_RATIO = 0.05
"""What two measurements of one speed differ by: of two ways that are so near to each other none is called faster."""

_LONG_PROMPT_TOKENS, _LONG_ANSWER_TOKENS = 2048, 128
_CHAT_PROMPT_TOKENS, _CHAT_ANSWER_TOKENS = 256, 256
_CHATS = 8


@dataclass(frozen=True, slots=True)
class Factors:
    """How many times as fast things were found to be as they were predicted."""

    prefill: float = 1.0
    decode_1: float = 1.0
    decode_8: float = 1.0


def usual_time_s(speed: ModelSpeed | None, *, writes: bool) -> float | None:
    """Return the mean time of the workloads, None where a speed that decides it is not known."""
    if speed is None or not speed.prefill:
        return None
    short, long = speed.prefill[0].tokens_per_s, speed.prefill[-1].tokens_per_s
    if not writes:
        return _geometric_mean((_CHAT_PROMPT_TOKENS / short, _LONG_PROMPT_TOKENS / long))
    one, eight = speed.decode_1_tokens_per_s, speed.decode_8_tokens_per_s
    if one is None or eight is None:
        return None
    return _geometric_mean(
        (
            _LONG_PROMPT_TOKENS / long + _LONG_ANSWER_TOKENS / one,
            _CHAT_PROMPT_TOKENS / short + _CHAT_ANSWER_TOKENS / one,
            _CHATS * (_CHAT_PROMPT_TOKENS / short + _CHAT_ANSWER_TOKENS / eight),
        )
    )


def factors(pairs: Iterable[tuple[ModelSpeed, ModelSpeed]]) -> Factors:
    """Return by what predictions are wrong on this machine, from pairs of what was measured and what was predicted."""
    known = list(pairs)
    prefill = [m.prefill[end].tokens_per_s / p.prefill[end].tokens_per_s for m, p in known for end in (0, -1)]
    return Factors(
        prefill=_geometric_mean(prefill),
        decode_1=_geometric_mean(_ratios((m.decode_1_tokens_per_s, p.decode_1_tokens_per_s) for m, p in known)),
        decode_8=_geometric_mean(_ratios((m.decode_8_tokens_per_s, p.decode_8_tokens_per_s) for m, p in known)),
    )


def corrected(speed: ModelSpeed, by: Factors) -> ModelSpeed:
    """Return a prediction as it would have come out, had the machine been known better."""
    one, eight = speed.decode_1_tokens_per_s, speed.decode_8_tokens_per_s
    return ModelSpeed(
        prefill=tuple(
            PrefillSpeed(num_tokens=each.num_tokens, tokens_per_s=each.tokens_per_s * by.prefill)
            for each in speed.prefill
        ),
        decode_1_tokens_per_s=None if one is None else one * by.decode_1,
        decode_8_tokens_per_s=None if eight is None else eight * by.decode_8,
    )


def _ratios(pairs: Iterable[tuple[float | None, float | None]]) -> list[float]:
    return [measured / predicted for measured, predicted in pairs if measured and predicted]


def _geometric_mean(values: Iterable[float]) -> float:
    """Return the mean, 1 of nothing."""
    known = list(values)
    return math.exp(sum(map(math.log, known)) / len(known)) if known else 1.0

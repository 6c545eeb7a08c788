"""How the next token is drawn, and when a sequence ends."""

import msgspec


class SamplingParams(msgspec.Struct, frozen=True, kw_only=True):
    """The distribution that the next token is drawn from; the defaults are OpenAI's.

    Order of application: `logit_bias` and penalties, temperature, `top_k`, `typical_p`, `top_p`, `min_p`. A value
    that switches its filter off: `top_k` 0, `top_p` 1, `min_p` 0, `typical_p` 1, penalties 0 (`repeat_penalty` 1).
    Temperature 0 is greedy. Presence and frequency count generated tokens; `repeat_penalty` counts the last
    `repeat_window_tokens` of prompt and output. A seed makes the draws of choice `i` a function of `(seed, i)`.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_penalty: float = 1.0
    repeat_window_tokens: int = 64
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: dict[int, float] = {}
    seed: int | None = None


class StopConditions(msgspec.Struct, frozen=True, kw_only=True):
    """When generation ends. `max_tokens` None: as far as the context reaches. A stop string is not part of the text."""

    max_tokens: int | None = None
    strings: tuple[str, ...] = ()
    ignore_eos: bool = False

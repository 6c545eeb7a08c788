"""Which tokens may follow where a text has timestamps: they come in pairs, never go back, and begin every text. Pure.

Source: Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, sections 2.3 and 4.5, and
the decoding that was published with it.
"""

from collections.abc import Sequence

import numpy as np

from appliance.backends.base import LogitsArray, SpeechTokens

_MAX_FIRST_TIMESTAMP_S = 1.0


class TimestampRules:
    """The rules of one model's vocabulary."""

    def __init__(self, tokens: SpeechTokens) -> None:
        self._tokens = tokens
        self._last_first = tokens.first_timestamp + round(_MAX_FIRST_TIMESTAMP_S / tokens.timestamp_s)

    def apply(self, logits: LogitsArray, said: Sequence[int]) -> None:
        """Write -inf into `logits`, `(vocab_size,) float32`, for what may not follow what was said."""
        tokens = self._tokens
        first = tokens.first_timestamp
        logits[tokens.suppressed] = -np.inf
        if not said:
            logits[tokens.suppressed_first] = -np.inf
            logits[:first] = -np.inf
            logits[self._last_first + 1 :] = -np.inf
            return
        ends_with_time = said[-1] >= first
        is_between = ends_with_time and (len(said) < 2 or said[-2] >= first)
        if is_between:
            logits[first:] = -np.inf  # a pair is complete: text follows, or the end
        elif ends_with_time:
            logits[: tokens.end] = -np.inf  # text has ended: its segment's end begins the next, or all ends
        times = [token for token in said if token >= first]
        if times:
            may_repeat = ends_with_time and not is_between
            logits[first : times[-1] + (not may_repeat)] = -np.inf
        if _is_time_likelier(logits, first):
            logits[:first] = -np.inf


def log_softmax(logits: LogitsArray) -> LogitsArray:
    """Return the logarithms of the probabilities."""
    shifted = logits - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()), np.float32)


def _is_time_likelier(logits: LogitsArray, first: int) -> bool:
    """Return whether all timestamps together are likelier than any single other token."""
    text, times = logits[:first].max(initial=-np.inf), logits[first:]
    loudest = times.max(initial=-np.inf)
    if loudest == -np.inf:
        return False
    return bool(loudest + np.log(np.exp(times - loudest).sum()) > text)

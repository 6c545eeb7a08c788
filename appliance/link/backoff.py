"""How long to wait before a worker that failed is started again. Pure; knows no clock and no process."""

import msgspec

FIRST_DELAY_S = 1.0
MAX_DELAY_S = 60.0
HEALTHY_AFTER_S = 60.0
"""A worker that answered for so long failed for a reason of its own: its failure counts as a first one again."""


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How often a worker failed in a row, and the moment from which it may be started again."""

    num_failures: int = 0
    retry_at_s: float = 0.0

    def after_failure(self, now_s: float, healthy_s: float) -> "Backoff":
        """Return the state after one more failure of a worker that had been ready for `healthy_s`, 0 if never."""
        num_failures = 1 if healthy_s >= HEALTHY_AFTER_S else self.num_failures + 1
        return Backoff(num_failures=num_failures, retry_at_s=now_s + delay_s(num_failures))


def delay_s(num_failures: int) -> float:
    """Return the wait before the next start: none after the first failure, then 1, 2, 4 … 60 seconds."""
    if num_failures <= 1:
        return 0.0
    return float(min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** min(num_failures - 2, 16)))

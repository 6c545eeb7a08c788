"""How long to wait when a source does not answer, and when to give up."""

import random
from collections.abc import Callable

from models.fetch.remote import Interrupted
from models.fetch.tuning import Tuning
from models.sources.base import SourceUnavailable

Report = Callable[[int, str | None], None]
"""Is told a few times a second how many bytes are here, and what the download waits for, if it does."""

REPORT_EVERY_S = 0.1


def wait_after(problem: Interrupted, num_failures: int, tuning: Tuning) -> float:
    """Return the seconds until the next attempt: what the server asks for, or ever longer and never all at once.

    Raises: SourceUnavailable, after so many failures in a row, or where the server asks for too much.
    """
    if num_failures > tuning.max_failures or (problem.wait_s or 0.0) > tuning.max_wait_s:
        raise SourceUnavailable(f"{problem}; pull again later: it goes on where it stopped", problem.wait_s)
    longest_s = min(tuning.max_backoff_s, tuning.backoff_s * 2.0 ** (num_failures - 1))
    return max(problem.wait_s or 0.0, longest_s * random.uniform(0.5, 1.0))  # noqa: S311  (nothing secret)

"""What each caller was given of the steps, in tokens by weight: whoever was given least goes first. Pure.

Source: P. Goyal, H. Vin, H. Cheng, "Start-time Fair Queueing", 1996: a caller who comes in begins where the one who
was given least stands, so that nobody is paid for time in which he asked for nothing.
"""

from collections import Counter


class Shares:
    """The callers of one engine who have something to compute."""

    def __init__(self) -> None:
        self._given: dict[str, float] = {}
        self._num_sequences: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._given)

    def enter(self, caller: str) -> None:
        """Note that one more sequence of the caller has come in."""
        if caller not in self._given:
            self._given[caller] = min(self._given.values(), default=0.0)
        self._num_sequences[caller] += 1

    def leave(self, caller: str) -> None:
        """Note that a sequence has left; a caller without any is forgotten."""
        self._num_sequences[caller] -= 1
        if not self._num_sequences[caller]:
            del self._num_sequences[caller], self._given[caller]

    def charge(self, caller: str, num_tokens: int, weight: float) -> None:
        """Note that tokens of the caller were computed."""
        self._given[caller] += num_tokens / weight

    def given(self, caller: str) -> float:
        """Return what the caller was given, on a scale that only orders callers."""
        return self._given[caller]

"""Who makes way for a request that finds no place. Pure."""

from collections import Counter
from collections.abc import Sequence

from .claims import Claim, Places
from .fairness import Shares
from .order import Ranked

REST_S = 2.0
"""For so long a request that was resumed is not paused again, unless for a higher class."""

MIN_EXCESS_CHOICES = 2
"""How many places more than the newcomer would hold a caller has to hold before its work makes way."""


class Held:
    """The places of a worker while a decision is made: what is held, by whom, and what may still be taken back."""

    def __init__(self, running: Sequence[Claim], places: Places, shares: Shares) -> None:
        self._pausable = [claim for claim in reversed(running) if claim.can_pause]
        self._max_choices = places.max_handed_over
        self._num_choices = sum(claim.num_choices for claim in running)
        self._by_caller: Counter[str] = Counter()
        self._accounts = {claim.caller: shares.used(claim.caller) for claim in running}
        for claim in running:
            self._by_caller[claim.caller] += claim.num_choices
            self._accounts[claim.caller] += claim.virtual_tokens

    def num_of(self, caller: str) -> int:
        """Return the places that a caller holds."""
        return self._by_caller[caller]

    def fits(self, claim: Claim, num_freed: int = 0) -> bool:
        """Return whether there is room once `num_freed` places are free. What is larger than all places goes alone."""
        num_choices = self._num_choices - num_freed
        return num_choices == 0 or num_choices + claim.num_choices <= self._max_choices

    def take(self, claim: Claim) -> None:
        """Give a request its places."""
        self._num_choices += claim.num_choices
        self._by_caller[claim.caller] += claim.num_choices

    def release(self, claim: Claim) -> None:
        """Take back the places of a running request."""
        self._pausable.remove(claim)
        self._num_choices -= claim.num_choices
        self._by_caller[claim.caller] -= claim.num_choices
        self._accounts[claim.caller] -= claim.virtual_tokens

    def make_way_for(self, ranked: Ranked, now_s: float) -> list[Claim]:
        """Return the running requests without which there is room, none if nothing helps or nothing is needed."""
        claim = ranked.claim
        if self.fits(claim):
            return []
        youngest_first = sorted(self._pausable, key=lambda c: c.arrived_s, reverse=True)
        movable = [c for c in youngest_first if c.rank >= claim.rank and not _rests(c, claim, now_s)]
        return self._batch_work(claim, movable) or self._work_of_the_largest(ranked, movable)

    def _batch_work(self, claim: Claim, movable: Sequence[Claim]) -> list[Claim]:
        """Work of the class batch makes way for every other class."""
        if claim.priority == "batch":
            return []
        victims: list[Claim] = []
        for victim in (c for c in movable if c.priority == "batch"):
            victims.append(victim)
            if self._fits_without(victims, claim):
                return self._fewest(victims, claim)
        return []

    def _fewest(self, victims: Sequence[Claim], claim: Claim) -> list[Claim]:
        """Leave out of `victims`, the youngest of whom come first, those who need not go: the oldest first."""
        needed = list(victims)
        for victim in reversed(victims):
            others = [c for c in needed if c is not victim]
            if self._fits_without(others, claim):
                needed = others
        return needed

    def _fits_without(self, victims: Sequence[Claim], claim: Claim) -> bool:
        return self.fits(claim, sum(c.num_choices for c in victims))

    def _work_of_the_largest(self, ranked: Ranked, movable: Sequence[Claim]) -> list[Claim]:
        """Work of whoever holds the most makes way for a caller that holds nothing, down to an equal share.

        Only if it would not come first again: a caller that was served more has to wait though it holds nothing now.
        """
        claim = ranked.claim
        if self.num_of(claim.caller):
            return []
        share = claim.num_choices / claim.weight
        held, accounts = Counter(self._by_caller), dict(self._accounts)
        victims: list[Claim] = []
        while not self._fits_without(victims, claim):
            able = [
                c
                for c in movable
                if c not in victims
                and held[c.caller] / c.weight >= share + MIN_EXCESS_CHOICES
                and (held[c.caller] - c.num_choices) / c.weight >= share
                and accounts[c.caller] - c.virtual_tokens > ranked.start_tokens
            ]
            if not able:
                return []
            victim = max(able, key=lambda c: held[c.caller] / c.weight)
            held[victim.caller] -= victim.num_choices
            accounts[victim.caller] -= victim.virtual_tokens
            victims.append(victim)
        return victims


def _rests(claim: Claim, wanted_by: Claim, now_s: float) -> bool:
    return now_s < claim.rests_until_s and (claim.is_aged or claim.rank <= wanted_by.rank)

"""Where guesses are worth verifying: how many tokens each sequence drafts. Owns what their cost was found to be.

Knows sequences and the time of steps, no model: the engine puts the guesses into its batch and draws from the rows.
"""

from collections.abc import Sequence as SequenceOf
from functools import partial

from appliance.core.traits import ModelTraits

from .cost import DraftCosts
from .sequence import Sequence
from .speculate import worthwhile_tokens


class Drafting:
    """The speculation of one engine: on by itself where it makes the tokens of all sequences come faster."""

    def __init__(self, *, is_on: bool) -> None:
        self._is_on = is_on
        self._costs = DraftCosts()
        self.num_drafted = 0
        self.num_accepted = 0

    def plan(self, decoding: SequenceOf[Sequence], traits: ModelTraits, free_tokens: int) -> dict[Sequence, int]:
        """Return how many tokens to guess for each sequence of a step without prefill, and write the guesses down."""
        if not self._is_on:
            return {}
        num_runs = len(decoding)
        room = min(traits.max_step_tokens, traits.max_step_outputs, free_tokens) - num_runs
        drafts: dict[Sequence, int] = {}
        num_planned = 0
        for sequence in decoding:
            wanted = min(sequence.num_promising(), room - num_planned)
            if wanted < 1:
                continue
            step_s = partial(self._costs.predict_s, num_runs, num_planned)
            count = worthwhile_tokens(wanted, sequence.acceptance, step_s, num_runs - 1)
            if count and (num_drafted := len(sequence.draft(count))):
                drafts[sequence] = num_drafted
                num_planned += num_drafted
        return drafts

    def observe(self, num_runs: int, num_drafted: int, step_s: float) -> None:
        """Learn what a step without prefill took."""
        if self._is_on:
            self._costs.observe(num_runs, num_drafted, step_s)

    def note(self, sequence: Sequence, num_drafted: int, num_accepted: int) -> None:
        """Learn what came of a guess."""
        sequence.note_draft(num_drafted, num_accepted)
        self.num_drafted += num_drafted
        self.num_accepted += num_accepted

"""What the next step computes: decodes first, then chunks of prefill within a budget. Pure; knows no backend."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from msgspec import structs

from appliance.core.traits import ModelTraits

MAX_FORCED_TOKENS = 32  # in one step, behind the token of a decode: they make the others wait as a small chunk does
MIN_CHUNK_TOKENS = 16  # below this a prefill beside decodes would take longer in overhead than in reading


@dataclass(frozen=True, slots=True)
class Work:
    """What a running sequence has in its KV cache, and how many tokens it has beyond that: 1 is a decode.

    The last `num_forced` of them follow from a grammar without being drawn. `is_scored`: the logits of every one are
    wanted, and not only those of the last. Where a medium is pending, `num_until_medium` tokens of text come before it,
    and itself has `num_medium`.
    """

    num_computed: int
    num_pending: int
    num_forced: int = 0
    is_scored: bool = False
    num_until_medium: int | None = None
    num_medium: int = 0

    @property
    def is_decode(self) -> bool:
        """Whether a token that was just written brings the sequence up to date, with what is forced behind it."""
        return self.num_pending == 1 + self.num_forced and self.num_until_medium is None

    @property
    def text(self) -> "Work":
        """The same, up to the next medium."""
        return self if self.num_until_medium is None else replace(self, num_pending=self.num_until_medium)


def plan_step(works: Sequence[Work], traits: ModelTraits, prefill_budget_tokens: int | None) -> list[int]:
    """Return how many tokens each sequence computes in the next step, 0 for those left out.

    `works` stand in the order of their rank. `prefill_budget_tokens` bounds all chunks together while others decode;
    None lets prefill fill the step. The first chunk is at least `MIN_CHUNK_TOKENS`, so that a prompt always advances.
    Where chunks are not computed together, the first is the only one: its first token need not wait for the others.
    A medium is computed whole, whatever the budget, and a step has but one: it takes the place of chunks.
    """
    counts = [0] * len(works)
    sequences_left = min(traits.max_step_sequences, traits.max_step_outputs)
    tokens_left = traits.max_step_tokens
    for index, work in enumerate(works):
        if work.is_decode and sequences_left and tokens_left:
            counts[index] = 1
            sequences_left -= 1
            tokens_left -= 1
    outputs_left = traits.max_step_outputs - sum(counts)
    runs_left = len(works) if traits.is_prefill_batched else 1
    for index, work in enumerate(works):
        if counts[index] and work.num_forced and runs_left:
            forced = min(work.num_forced, MAX_FORCED_TOKENS, tokens_left)
            counts[index] += forced
            tokens_left -= forced
            runs_left -= 1
    if prefill_budget_tokens is not None:
        tokens_left = min(tokens_left, max(prefill_budget_tokens, MIN_CHUNK_TOKENS, traits.chunk_multiple_tokens))
    chunks_left = sequences_left if traits.is_prefill_batched else min(sequences_left, 1)
    has_medium = False
    for index, work in enumerate(works):
        if work.is_decode or not chunks_left or not outputs_left:
            continue
        if work.num_until_medium == 0:
            if has_medium or not tokens_left:
                continue
            has_medium, counts[index] = True, work.num_medium
        elif work.is_scored:  # off the grid, which may be wider than what is left of the outputs
            counts[index] = min(work.num_pending, tokens_left, outputs_left)
        else:
            counts[index] = chunk_tokens(work.text, tokens_left, traits.chunk_multiple_tokens)
        tokens_left = max(tokens_left - counts[index], 0)
        outputs_left -= counts[index] if work.is_scored else counts[index] == work.num_pending
        chunks_left -= counts[index] > 0
    return counts


def smaller_steps(traits: ModelTraits) -> ModelTraits | None:
    """Return the limits with steps of half as many tokens, None where less would let no prompt advance."""
    least = max(MIN_CHUNK_TOKENS, traits.chunk_multiple_tokens, traits.max_step_sequences)
    if traits.max_step_tokens <= least:
        return None
    return structs.replace(traits, max_step_tokens=max(traits.max_step_tokens // 2, least))


def chunk_tokens(work: Work, budget_tokens: int, grid_tokens: int) -> int:
    """Return the length of the next chunk: all that is pending, or as many grid steps as the budget holds.

    A last token alone behind the grid is left for a step of its own. It is computed as a decode whenever the chunk
    before it ends on the grid, and a decode's last digits differ from those of a longer run.
    """
    if work.num_pending <= budget_tokens:
        is_last_alone = work.num_pending > 1 and (work.num_computed + work.num_pending) % grid_tokens == 1
        return work.num_pending - is_last_alone
    end = work.num_computed + budget_tokens
    return max(end - end % grid_tokens - work.num_computed, 0)

"""What the next step computes, by the policy and by what steps have cost lately. Owns the callers' shares.

Knows sequences and the time of steps, no model and no KV memory: told of both as numbers.
"""

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass

from appliance.backends.base import Run
from appliance.core.traits import ModelTraits

from .adapters import AdapterKey
from .batcher import plan_step
from .cost import CostModel, StepShape, pairs
from .drafting import Drafting
from .rotation import Rotation
from .sequence import Sequence
from .shares import Shares
from .turns import FINISHING_STRETCH, is_read_alone, share_ratio, step_time_s, those_beside

LEARN_EVERY_STEPS = 8  # of those without prefill, which come by the thousand and are much alike


@dataclass(frozen=True, slots=True)
class Part:
    """What one sequence computes in a step: `count` of its tokens, the last `num_drafted` of them a guess."""

    sequence: Sequence
    count: int
    num_drafted: int = 0

    @property
    def is_decode(self) -> bool:
        """Whether it is a single token, with or without a guess behind it."""
        return self.count == 1 + self.num_drafted

    def run(self) -> Run:
        """Return it in the words of the seam."""
        sequence = self.sequence
        assert sequence.handle is not None
        start, end = sequence.num_computed, sequence.num_computed + self.count
        if sequence.work.is_scored:
            num_outputs = self.count
        else:
            num_outputs = 1 + self.num_drafted if end >= sequence.num_tokens else 0
        return Run(sequence.handle, start, sequence.buffer[start:end], num_outputs, sequence.medium_at(start))


class Planning:
    """Turns the running sequences of one engine into steps."""

    def __init__(self, step_time_target_s: float, drafting: Drafting) -> None:
        self._step_time_target_s = step_time_target_s
        self._drafting = drafting
        self._cost = CostModel()
        self._num_steps = 0
        self._was_read_alone = False
        self._rotation = Rotation()
        self.shares = Shares()

    def plan(
        self, running: SequenceOf[Sequence], traits: ModelTraits, free_tokens: int, retained_tokens: int
    ) -> list[Part]:
        """Return the parts of the next step, decodes first: of the sequences with one set of adapters."""
        writing = {sequence.caller for sequence in running if sequence.work.is_decode}
        # Whoever was given least, and of those who were given as much, whoever has not got a word yet.
        turns = sorted(running, key=lambda s: (s.class_rank, self.shares.given(s.caller), s.caller in writing, s.turn))
        works = [sequence.work for sequence in turns]
        first = next((s for s, work in zip(turns, works, strict=True) if not work.is_decode), None)
        if first is not None:
            turns = those_beside(first, turns)
            works = works[: len(turns)]  # they stand by class, so those who wait are the last
        num_writing = sum(work.is_decode for work in works)
        turns = self._of_one_set(turns)
        works = [sequence.work for sequence in turns]
        decoding = [s for s, work in zip(turns, works, strict=True) if work.is_decode]
        readers = [s for s, work in zip(turns, works, strict=True) if not work.is_decode]
        self._was_read_alone = bool(readers) and self._is_read_alone(readers[0], running, decoding, retained_tokens)
        if readers or (first is not None and first.class_rank == turns[0].class_rank):
            # Whoever writes has waited for a long step, and whoever is read with other adapters waits for a first token
            self._rotation.end_turn()
        if self._was_read_alone:
            (count,) = plan_step([readers[0].work], traits, None)
            return [Part(readers[0], count)]
        budget = None
        if readers:
            step_s = step_time_s(num_writing, len(readers), len(self.shares), self._step_time_target_s)
            if step_s is not None:
                budget = self._budget_tokens(
                    readers, decoding, _shape(running, len(decoding), (), retained_tokens), step_s
                )
        counts = plan_step(works, traits, budget)
        # A single token can be a chunk, too: that before a medium.
        reads = any(count for work, count in zip(works, counts, strict=True) if not work.is_decode)
        is_plain = max(counts, default=0) == 1 and not reads
        drafts = self._drafting.plan(decoding, traits, free_tokens) if is_plain else {}
        parts = [
            Part(sequence, count + drafts.get(sequence, 0), drafts.get(sequence, 0))
            for sequence, count in zip(turns, counts, strict=True)
            if count
        ]
        parts.sort(key=lambda part: part.count > 1)
        return parts

    def _of_one_set(self, turns: list[Sequence]) -> list[Sequence]:
        """Return those whose adapters have their turn."""
        ranks: dict[AdapterKey, int] = {}
        for sequence in turns:  # they stand by class
            ranks.setdefault(sequence.adapter_key, sequence.class_rank)
        chosen = self._rotation.next(ranks)
        return turns if len(ranks) == 1 else [sequence for sequence in turns if sequence.adapter_key == chosen]

    def _budget_tokens(
        self, readers: SequenceOf[Sequence], decoding: SequenceOf[Sequence], shape: StepShape, step_s: float
    ) -> int:
        """Return how many tokens of prefill the step has time for: a little more where that ends the first prompt."""
        first = readers[0].work
        budget = self._cost.prefill_budget_tokens(shape, step_s, share_ratio(readers, decoding), first.num_computed)
        finishing_s = max(step_s, FINISHING_STRETCH * self._step_time_target_s)
        last = self._cost.prefill_budget_tokens(shape, finishing_s, start_tokens=first.num_computed)
        return first.num_pending if budget < first.num_pending <= last else budget

    def _is_read_alone(
        self, reader: Sequence, running: SequenceOf[Sequence], decoding: SequenceOf[Sequence], retained_tokens: int
    ) -> bool:
        if self._was_read_alone:  # never twice in a row: the streams go on between two newcomers
            return False
        whole = [(reader.work.num_computed, reader.work.num_pending)]
        read_s = self._cost.predict_s(_shape(running, 0, whole, retained_tokens))
        return is_read_alone(reader, decoding, read_s, self._step_time_target_s)

    def learn(
        self, parts: SequenceOf[Part], running: SequenceOf[Sequence], retained_tokens: int, step_s: float
    ) -> None:
        """Take in what a step took, and whose tokens it computed."""
        self._num_steps += 1
        num_drafted = sum(part.num_drafted for part in parts)
        num_decodes = sum(part.is_decode for part in parts)
        chunks = [(part.sequence.num_computed, part.count) for part in parts if not part.is_decode]
        if not chunks:
            self._drafting.observe(num_decodes, num_drafted, step_s)
        if chunks or not (num_drafted or self._num_steps % LEARN_EVERY_STEPS):
            self._cost.observe(_shape(running, num_decodes, chunks, retained_tokens), step_s)
        for part in parts:
            self.shares.charge(part.sequence.caller, part.count, part.sequence.weight)


def _shape(
    running: SequenceOf[Sequence], num_decodes: int, chunks: SequenceOf[tuple[int, int]], retained_tokens: int
) -> StepShape:
    """Return the size of a step; `chunks` of prefill are tokens before each, and its own."""
    return StepShape(
        prefill_tokens=sum(num_tokens for _, num_tokens in chunks),
        decode_runs=num_decodes,
        context_tokens=sum(sequence.num_computed for sequence in running),
        retained_tokens=retained_tokens,
        prefill_pairs=sum(pairs(start, num_tokens) for start, num_tokens in chunks),
    )

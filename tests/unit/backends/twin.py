"""The naive twin of a loaded model: tokens in lists, cells as objects; and random programs run on both."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import pytest

from appliance.backends.base import Batch, KVCacheFull, LoadedModel, LogitsArray, Run, Snapshot, TokenArray

_TOKENS = np.random.default_rng(0)


class Cell:
    """One token in the cache, and the tokens of the run that computed it.

    Copies that share hold the same object, so distinct objects are what the cache must hold.
    """

    def __init__(self, run: TokenArray) -> None:
        self.run = run


@dataclass(frozen=True)
class Piece:
    """The first tokens of a run; the others were truncated, or lie behind the row that is looked at."""

    run: TokenArray
    num_kept: int


def pieces(cells: list[Cell]) -> list[Piece]:
    """Return the runs that computed the cells, one after the other."""
    groups = (list(group) for _, group in groupby(cells, key=lambda cell: id(cell.run)))
    return [Piece(group[0].run, len(group)) for group in groups]


def random_tokens(num_tokens: int, generator: np.random.Generator = _TOKENS) -> TokenArray:
    """Return tokens that every vocabulary has and none treats specially."""
    return generator.integers(33, 200, num_tokens).astype(np.int32)


def run_of(model: LoadedModel, sequence: int, num_tokens: int, num_outputs: int) -> Run:
    """Return a run of random tokens at the end of the sequence."""
    return Run(sequence, model.length_tokens(sequence), random_tokens(num_tokens), num_outputs)


class Program:
    """A random walk through the verbs of a model, with the twin at its side; `act` checks what the verb changed."""

    def __init__(self, model: LoadedModel, seed: int) -> None:
        self.model = model
        self.num_full = 0
        self._random = random.Random(seed)
        self._token_random = np.random.default_rng(seed)
        self._cells: list[list[Cell]] = [[] for _ in range(model.traits.max_sequences)]
        self._chains: list[list[tuple[Snapshot, list[Cell]]]] = []

    def act(self) -> Iterator[tuple[list[Piece], LogitsArray]]:
        """Run one verb; yield the tokens before each row of logits, as they were run, with the row."""
        verb = self._random.choices(
            [self._step, self._copy, self._truncate, self._snapshot, self._restore], [8, 2, 2, 1, 2]
        )[0]
        yield from verb()
        self._check()

    def _step(self) -> Iterator[tuple[list[Piece], LogitsArray]]:
        traits = self.model.traits
        sequences = self._random.sample(range(traits.max_sequences), self._random.randint(1, traits.max_step_sequences))
        runs = [self._run(sequence) for sequence in sequences]
        num_tokens = sum(len(run.tokens) for run in runs)
        if num_tokens > self._num_free():
            self.num_full += 1
            with pytest.raises(KVCacheFull):
                self.model.step(Batch(tuple(runs)))
            self._forget(self._random.choice([s for s in range(traits.max_sequences) if self._cells[s]]), 0)
            return
        output = self.model.step(Batch(tuple(runs)))
        for run, rows in zip(runs, output.logits, strict=True):
            self._cells[run.sequence].extend(Cell(run.tokens) for _ in run.tokens)
            assert rows.shape == (run.num_outputs, traits.vocab_size)
            cells = self._cells[run.sequence]
            for index, row in enumerate(rows):
                yield pieces(cells[: len(cells) - run.num_outputs + index + 1]), row

    def _run(self, sequence: int) -> Run:
        start = len(self._cells[sequence])
        room = self.model.traits.max_context_tokens - start
        if room == 0:
            self._forget(sequence, 0)
            start, room = 0, self.model.traits.max_context_tokens
        num_tokens = min(room, self._random.choice([1, 1, 1, 2, 9, 10]))
        return Run(
            sequence,
            start,
            random_tokens(num_tokens, self._token_random),
            self._random.choice([0, 1, 1, min(3, num_tokens)]),
        )

    def _copy(self) -> Iterator[tuple[list[Piece], LogitsArray]]:
        if (pair := self._full_and_empty()) is not None:
            source, target = pair
            num_tokens = self._part(source)
            is_shared = self.model.traits.copy_cost == "shared"
            if not is_shared and num_tokens > self._num_free():
                self.num_full += 1
                with pytest.raises(KVCacheFull):
                    self.model.copy(source, target, num_tokens)
            else:
                self.model.copy(source, target, num_tokens)
                copied = self._cells[source][:num_tokens]
                self._cells[target] = copied if is_shared else _copies(copied)
        yield from ()

    def _truncate(self) -> Iterator[tuple[list[Piece], LogitsArray]]:
        sequence = self._random.randrange(len(self._cells))
        length = len(self._cells[sequence])
        can_truncate = self.model.traits.can_truncate
        self._forget(sequence, self._random.randint(0, length) if can_truncate else self._random.choice([0, length]))
        yield from ()

    def _snapshot(self) -> Iterator[tuple[list[Piece], LogitsArray]]:
        """Take a sequence apart into blocks, which are only good one after the other."""
        if (pair := self._full_and_empty()) is not None:
            source, cells = pair[0], self._cells[pair[0]]
            end = self._part(source)
            inner = self._random.sample(range(1, end), min(end - 1, 2)) if self.model.traits.can_truncate else []
            borders = sorted([0, *inner, end])
            self._chains.append(
                [(self.model.snapshot(source, start, stop), cells[start:stop]) for start, stop in pairwise(borders)]
            )
        yield from ()

    def _restore(self) -> Iterator[tuple[list[Piece], LogitsArray]]:
        pair = self._full_and_empty()
        if pair is None or not self._chains:
            return
        chain, target = self._random.choice(self._chains), pair[1]
        for snapshot, cells in chain[: self._random.randint(1, len(chain))]:
            if len(cells) > self._num_free():
                self.num_full += 1
                with pytest.raises(KVCacheFull):
                    self.model.restore(target, snapshot)
                break
            self.model.restore(target, snapshot)
            self._cells[target].extend(_copies(cells))
        yield from ()

    def _forget(self, sequence: int, num_tokens: int) -> None:
        self.model.truncate(sequence, num_tokens)
        del self._cells[sequence][num_tokens:]

    def _full_and_empty(self) -> tuple[int, int] | None:
        full = [sequence for sequence, cells in enumerate(self._cells) if cells]
        empty = [sequence for sequence, cells in enumerate(self._cells) if not cells]
        return (self._random.choice(full), self._random.choice(empty)) if full and empty else None

    def _part(self, sequence: int) -> int:
        """Return how many of the sequence's first tokens to take."""
        length = len(self._cells[sequence])
        return self._random.randint(1, length) if self.model.traits.can_truncate else length

    def _num_free(self) -> int:
        held = {id(cell) for cells in self._cells for cell in cells}
        return self.model.traits.kv_capacity_tokens - len(held)

    def _check(self) -> None:
        for sequence, cells in enumerate(self._cells):
            assert self.model.length_tokens(sequence) == len(cells)
        assert self.model.free_tokens() == self._num_free()


def _copies(cells: list[Cell]) -> list[Cell]:
    return [Cell(cell.run) for cell in cells]

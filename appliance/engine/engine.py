"""The engine: continuous batching over one loaded model. Sequences join and leave at every step.

Owns the sequences and their order; `kv.py` owns what they hold, the model the memory. Runs on the worker's step thread,
without locks. `DESIGN.md` beside this file draws the life of a sequence.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

from appliance.backends.base import (
    Batch,
    KVCacheFull,
    LoadedModel,
    LogitsArray,
    StepAborted,
    StepOutput,
    Tokenizer,
)
from appliance.core.events import Accepted, Failed, RequestEvent
from appliance.core.messages import MemoryPressure, Stats
from appliance.core.request import RequestId
from appliance.errors import BackendError, InvalidRequest, OutOfDeviceMemory, to_info

from .adapters import AdapterRack
from .drafting import Drafting
from .interruption import Interruption
from .kv import KVCache, Source
from .planning import Part, Planning
from .prefix import Grid, PrefixIndex
from .prompt import PreparedRequest
from .relief import relieve
from .sampler import Scratch
from .sequence import Sequence, Vocabulary
from .tiers import Limits, Tiers
from .turns import displaced, last_in_class_below

MEMORY_RATIO = 0.5  # of the KV cache's own size: what kept prefixes take in main memory where no plan says

EngineEvent = RequestEvent | MemoryPressure


class _Obstacle(NamedTuple):
    """A place or room is missing; `victim` has less right to its own, None: nobody has."""

    victim: Sequence | None


class Engine:
    """One model's sequences, from their prompt to their last token."""

    def __init__(
        self,
        model: LoadedModel,
        tokenizer: Tokenizer,
        step_time_target_s: float,
        clock: Callable[[], float],
        tiers: Tiers | None = None,
        *,
        speculates: bool = True,
    ) -> None:
        """`clock` returns monotonic seconds. Without `tiers`, prefixes are kept in main memory only."""
        traits = model.traits
        grid = Grid(traits.chunk_multiple_tokens, traits.can_truncate)
        if tiers is None:
            memory_bytes = int(traits.kv_capacity_tokens * traits.kv_bytes_per_token * MEMORY_RATIO)
            tiers = Tiers(grid, Limits(memory_bytes, 0), None, lambda: None)
        self.interruption = Interruption(model.abort)
        self._model = model
        self._clock = clock
        self._traits = traits
        self._max_running = traits.max_step_sequences
        self._tiers = tiers
        self._kv = KVCache(model, PrefixIndex(grid), tiers, clock)
        self._rack = AdapterRack(model)
        self._vocabulary = Vocabulary(tokenizer, Scratch(traits.vocab_size), traits.max_context_tokens)
        self._drafting = Drafting(is_on=speculates and traits.can_truncate)
        self._planning = Planning(step_time_target_s, self._drafting)
        self._waiting: list[Sequence] = []
        self._running: list[Sequence] = []
        self._paused: list[Sequence] = []
        self._numbers = itertools.count()
        self._is_fetching = False
        self._pressure: list[MemoryPressure] = []
        self.num_steps = 0
        self.num_preemptions = 0
        self.num_tokens_done = 0

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything now."""
        return bool(self._running or self._kv.has_unsaved or (self._waiting and not self._is_fetching))

    def limit(self, work_ratio: float) -> None:
        """Let no more sequences begin than this part of a step's; those that run are not sent back."""
        self._max_running = max(1, int(self._traits.max_step_sequences * work_ratio))

    def wake(self) -> None:
        """Look again at what waits for the disk."""
        self._is_fetching = False

    def close(self) -> None:
        """Keep on disk what is worth it. Nothing may be called afterwards."""
        for sequence in list(self._running):
            self._leave(sequence)
        while self._kv.has_unsaved:
            self._kv.tend(others_running=False)
        self._tiers.close()

    # What the daemon asks

    def start(self, prepared: PreparedRequest) -> list[RequestEvent]:
        """Queue every choice of a request. Returns its failure where it can never run."""
        request = prepared.request
        if request.num_choices > self._traits.max_sequences:
            problem = InvalidRequest(
                f"n is {request.num_choices}, and model '{request.model}' runs at most "
                f"{self._traits.max_sequences} sequences at once; ask in several requests",
                param="n",
            )
            return [Failed(id=request.id, error=to_info(problem))]
        try:
            choices = [
                Sequence(prepared, choice, next(self._numbers), self._vocabulary)
                for choice in range(request.num_choices)
            ]
        except InvalidRequest as problem:
            return [Failed(id=request.id, error=to_info(problem))]
        self._wait(*choices)
        return []

    def cancel(self, request_id: RequestId) -> None:
        """Forget a request; what it computed stays as a retained prefix."""
        for sequence in [s for s in (*self._waiting, *self._paused) if s.request.id == request_id]:
            self._forget(sequence)
        for sequence in [s for s in self._running if s.request.id == request_id]:
            self._leave(sequence)

    def pause(self, request_id: RequestId) -> None:
        """Take a request's sequences out of the steps until `resume`; nothing they computed is lost."""
        for sequence in [s for s in self._running if s.request.id == request_id]:
            self._preempt(sequence)
        self._paused += [s for s in self._waiting if s.request.id == request_id]
        self._waiting = [s for s in self._waiting if s.request.id != request_id]

    def forget_adapter(self, digest: str) -> None:
        """Free an adapter that was removed, once nothing runs with it."""
        self._rack.forget(digest)

    def resume(self, request_id: RequestId) -> None:
        """Let a paused request compete for a place again."""
        self._wait(*(s for s in self._paused if s.request.id == request_id))
        self._paused = [s for s in self._paused if s.request.id != request_id]

    def stats(self, tokens_per_s: float, memory_bytes: int) -> Stats:
        """Return the engine's state with the figures that the worker measured."""
        return Stats(
            num_running=len(self._running),
            num_waiting=len(self._waiting) + len(self._paused),
            kv_used_tokens=self._traits.kv_capacity_tokens - self._model.free_tokens(),
            kv_retained_tokens=self._kv.retained_tokens,
            num_preemptions=self.num_preemptions,
            num_steps=self.num_steps,
            tokens_per_s=tokens_per_s,
            memory_bytes=memory_bytes,
            snapshot_memory_bytes=self._tiers.memory_bytes,
            snapshot_disk_bytes=self._tiers.disk_bytes,
            num_drafted=self._drafting.num_drafted,
            num_accepted=self._drafting.num_accepted,
        )

    def check_integrity(self) -> None:
        """Assert that sequences, handles and model agree. For tests."""
        self._kv.check_integrity({s.handle: s.num_computed for s in self._running if s.handle is not None})
        assert all(sequence.handle is not None for sequence in self._running)
        assert all(sequence.handle is None for sequence in (*self._waiting, *self._paused))

    # The step

    def step(self) -> list[EngineEvent]:
        """Compute one step and return what happened, in the order of the sequences."""
        events: list[EngineEvent] = [*self._admit()]
        self._kv.tend(others_running=bool(self._running))
        if not self._running:
            return events
        try:
            parts, output, step_s = self._compute()
        except StepAborted:
            return events
        self.num_steps += 1
        self._planning.learn(parts, self._running, self._kv.retained_tokens, step_s)
        for part in parts:
            self._advance(part)
        for part, rows in zip(parts, output.logits, strict=True):
            if len(rows) and part.sequence.handle is not None:
                events += self._score(part.sequence, rows)
                if part.sequence.num_computed >= part.sequence.num_tokens:
                    events += self._draw(part, rows[-1 - part.num_drafted :])
        pressure, self._pressure = self._pressure, []
        return [*events, *pressure]

    def _advance(self, part: Part) -> None:
        sequence = part.sequence
        assert sequence.handle is not None
        sequence.num_computed += part.count
        self._kv.extend(sequence.handle, min(sequence.num_computed, sequence.num_tokens))
        if sequence.num_computed == sequence.num_tokens == sequence.num_prompt:
            self._kv.save_prompt(sequence.handle)

    def _score(self, sequence: Sequence, rows: LogitsArray) -> list[RequestEvent]:
        """Take in what the rows say of the prompt itself; return its echo once all of it is known."""
        scores = sequence.scores
        if scores is None:
            return []
        scores.add(rows, sequence.num_computed - len(rows))
        if not scores.is_complete:
            return []
        sequence.scores = None
        return [sequence.echo(scores.entries)]

    def _draw(self, part: Part, rows: LogitsArray) -> list[RequestEvent]:
        """Let a sequence go on by what its rows say, and end it where it is over."""
        sequence, first = part.sequence, part.sequence.num_tokens
        try:
            events = self._write(part, rows)
        except (BackendError, InvalidRequest) as error:  # a row of NaN, a grammar too complex: the others are well
            self._cut(sequence, first)
            self.cancel(sequence.request.id)
            return [Failed(id=sequence.request.id, error=to_info(error))]
        self.num_tokens_done += sequence.num_tokens - first
        if sequence.finish_reason is not None:
            events.append(sequence.finished(self._clock()))
            self._leave(sequence)
        return events

    def _write(self, part: Part, rows: LogitsArray) -> list[RequestEvent]:
        """Draw a token from each row, while the row's own token is the one guessed. Then comes what is forced.

        An answer that begins with forced tokens needs no row for them, and one of no tokens needs none at all.
        """
        sequence, first = part.sequence, part.sequence.num_tokens
        guess = sequence.buffer[first : first + part.num_drafted].tolist()
        events: list[RequestEvent] = [*sequence.begin(self._clock)]
        if sequence.num_tokens > first or sequence.finish_reason is not None:
            self._cut(sequence, first)
            return events
        for row, guessed in zip(rows, [*guess, None], strict=True):
            events.append(sequence.accept(row, self._clock))
            if sequence.is_interrupted or sequence.tokens[-1] != guessed:
                break
        if part.num_drafted:
            self._drafting.note(sequence, part.num_drafted, sequence.num_tokens - first - 1)
        self._cut(sequence, sequence.num_tokens - 1)
        return [*events, *sequence.append_forced(self._clock)]

    def _cut(self, sequence: Sequence, num_tokens: int) -> None:
        """Forget what was computed of guesses that did not come true."""
        assert sequence.handle is not None
        if sequence.num_computed > num_tokens:
            self._model.truncate(sequence.handle, num_tokens)
            sequence.num_computed = num_tokens
        self._kv.extend(sequence.handle, sequence.num_computed)

    # Admission: a waiting sequence takes a place, and with it the longest prefix that anyone holds.

    def _admit(self) -> list[RequestEvent]:
        events: list[RequestEvent] = []
        is_fetching = False
        for sequence in [*self._waiting]:
            if sequence not in self._waiting:
                continue  # another choice of its request could not begin
            if not self._rack.has_room(sequence.request.adapters):
                break
            source = self._kv.find(sequence.scope, sequence.tokens, sequence.parked)
            while source is not None and (obstacle := self._obstacle(sequence, source)) is not None:
                if obstacle.victim is None:
                    self._is_fetching = is_fetching and not self._running
                    return events  # whoever came later does not overtake
                self._preempt(obstacle.victim)
                source = self._kv.find(sequence.scope, sequence.tokens, sequence.parked)  # it may have lain there
            if source is None:
                is_fetching = True  # from the disk, or someone computes this prefix right now: a moment, and it is here
            else:
                events += self._take_place(sequence, source)
        self._is_fetching = is_fetching and not self._running
        return events

    def _obstacle(self, newcomer: Sequence, source: Source) -> _Obstacle | None:
        """Return what keeps the newcomer from running, and who would have to step back for it; None if nothing does."""
        if len(self._running) >= self._max_running:
            index = displaced(newcomer, self._running)
        elif not self._kv.has_room(source, newcomer.num_tokens + len(self._running), bool(self._running)):
            index = last_in_class_below(newcomer, self._running)
        else:
            return None
        return _Obstacle(None if index is None else self._running[index])

    def _take_place(self, sequence: Sequence, source: Source) -> list[RequestEvent]:
        """Give the sequence a handle that begins with what `source` holds of it, and let it run."""
        try:
            self._rack.take(sequence.request.adapters)
        except InvalidRequest as error:
            self.cancel(sequence.request.id)
            return [Failed(id=sequence.request.id, error=to_info(error))]
        handle, num_cached = self._kv.open(sequence.scope, sequence.buffer, sequence.num_tokens, source)
        self._unpark(sequence)
        is_first = sequence.admit(handle, num_cached, self._clock())
        self._waiting.remove(sequence)
        self._running.append(sequence)
        self._running.sort(key=_turn)
        self._planning.shares.enter(sequence.caller)
        if not is_first or sequence.choice:
            return []
        accepted = Accepted(
            id=sequence.request.id, num_prompt_tokens=sequence.num_prompt, cached_tokens=sequence.cached_tokens
        )
        echoes_now = sequence.request.echoes_prompt and sequence.scores is None
        return [accepted, sequence.echo()] if echoes_now else [accepted]

    # Computing: plan, compute, and make room where the cache is full.

    def _compute(self) -> tuple[list[Part], StepOutput, float]:
        while True:
            retained_tokens = self._kv.retained_tokens
            parts = self._planning.plan(self._running, self._traits, self._model.free_tokens(), retained_tokens)
            batch = Batch(tuple(part.run() for part in parts), self._rack.ids(parts[0].sequence.adapter_key))
            started_s = self._clock()
            try:
                with self.interruption.step({part.sequence.class_rank for part in parts}):
                    output = self._model.step(batch)
            except KVCacheFull:
                if not self._kv.evict_oldest(keep=None):
                    self._preempt_last()
                continue
            except OutOfDeviceMemory as error:
                self._traits, pressure = relieve(error, self._kv, self._traits)
                self._pressure.append(pressure)
                continue
            return parts, output, self._clock() - started_s

    # Leaving: finished, cancelled, preempted.

    def _leave(self, sequence: Sequence) -> None:
        """End a running sequence. What it holds is retained."""
        handle, sequence.handle = sequence.handle, None
        assert handle is not None
        self._running.remove(sequence)
        self._planning.shares.leave(sequence.caller)
        self._rack.give_back(sequence.request.adapters)
        if sequence.num_computed and not sequence.scope.is_private:
            self._kv.retain(handle)
        else:
            self._kv.free(handle)
            self._forget_private(sequence)

    def _forget(self, sequence: Sequence) -> None:
        """Forget a sequence that does not run."""
        self._unpark(sequence)
        for queue in (self._waiting, self._paused):
            if sequence in queue:
                queue.remove(sequence)
        self._forget_private(sequence)

    def _forget_private(self, sequence: Sequence) -> None:
        """Forget what a request kept for itself, once the last of its choices has gone."""
        if all(other.request.id != sequence.request.id for other in (*self._running, *self._waiting, *self._paused)):
            self._kv.forget(sequence.scope)

    def _preempt_last(self) -> None:
        """Send the last sequence back to waiting. A single one is never sent: it fits by its context limit."""
        if len(self._running) < 2:
            raise OutOfDeviceMemory("the KV cache cannot hold a single sequence; set engine.context_tokens lower")
        self._preempt(self._running[-1])

    def _preempt(self, sequence: Sequence) -> None:
        """Send a running sequence back to waiting. What it computed is kept."""
        assert sequence.handle is not None
        self._running.remove(sequence)
        self._planning.shares.leave(sequence.caller)
        self._rack.give_back(sequence.request.adapters)
        sequence.preempt(self._kv.park(sequence.handle))
        self._wait(sequence)
        self.num_preemptions += 1

    def _wait(self, *sequences: Sequence) -> None:
        self._waiting += sequences
        self._waiting.sort(key=_turn)

    def _unpark(self, sequence: Sequence) -> None:
        parked, sequence.parked = sequence.parked, None
        if parked is not None:
            self._kv.unpark(parked)


def _turn(sequence: Sequence) -> tuple[int, float, int]:
    return sequence.turn

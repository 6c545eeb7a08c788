"""The engine: continuous batching over one loaded model. Sequences join and leave at every step.

Owns the sequences, the handles and the prefix index; the model owns the KV memory. Runs on the worker's step thread,
without locks. `DESIGN.md` beside this file draws the life of a sequence.
"""

import itertools
from collections.abc import Callable

from appliance.backends.base import (
    Batch,
    KVCacheFull,
    LoadedModel,
    LogitsArray,
    Run,
    SnapshotRejected,
    StepAborted,
    StepOutput,
    Tokenizer,
)
from appliance.core.events import Accepted, Failed, RequestEvent
from appliance.core.messages import Stats
from appliance.core.request import PRIORITY_RANK, RequestId
from appliance.errors import BackendError, InvalidRequest, OutOfDeviceMemory, to_info

from .batcher import plan_step
from .cost import CostModel, StepShape
from .offload import OffloadedPrefix, OffloadedPrefixes
from .prefix import Entry, Grid, PrefixIndex
from .prompt import PreparedRequest
from .sampler import Scratch
from .sequence import Sequence, Vocabulary

MIN_SHARED_TOKENS = 32  # waiting for another's prefill to be copied must save more than this
MAX_IDLE_TOKENS = 512  # where idle cells slow every step, no more stay in the cache while others run
LEARN_EVERY_STEPS = 8  # of those without prefill, which come by the thousand and are much alike
OFFLOAD_RATIO = 0.5  # of the KV cache's own size: what prefixes may take in main memory


class Engine:
    """One model's sequences, from their prompt to their last token."""

    def __init__(
        self, model: LoadedModel, tokenizer: Tokenizer, step_time_target_s: float, clock: Callable[[], float]
    ) -> None:
        """`clock` returns monotonic seconds."""
        traits = model.traits
        self._model = model
        self._clock = clock
        self._step_time_target_s = step_time_target_s
        self._traits = traits
        self._vocabulary = Vocabulary(tokenizer, Scratch(traits.vocab_size), traits.max_context_tokens)
        self._cost = CostModel()
        grid = Grid(traits.chunk_multiple_tokens, traits.can_truncate)
        self._index = PrefixIndex(grid)
        max_bytes = int(traits.kv_capacity_tokens * traits.kv_bytes_per_token * OFFLOAD_RATIO)
        self._offloaded = OffloadedPrefixes(grid, max_bytes)
        self._free_handles = list(range(traits.max_sequences - 1, -1, -1))
        self._waiting: list[Sequence] = []
        self._running: list[Sequence] = []
        self._arrivals = itertools.count()
        self.num_steps = 0
        self.num_preemptions = 0
        self.num_tokens_done = 0

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._waiting or self._running)

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
                Sequence(prepared, choice, next(self._arrivals), self._vocabulary)
                for choice in range(request.num_choices)
            ]
        except InvalidRequest as problem:
            return [Failed(id=request.id, error=to_info(problem))]
        self._waiting += choices
        self._waiting.sort(key=_order)
        return []

    def cancel(self, request_id: RequestId) -> None:
        """Forget a request; what it computed stays as a retained prefix."""
        self._waiting = [sequence for sequence in self._waiting if sequence.request.id != request_id]
        for sequence in [s for s in self._running if s.request.id == request_id]:
            self._leave(sequence)

    def step(self) -> list[RequestEvent]:
        """Compute one step and return what happened, in the order of the sequences."""
        events = self._admit()
        try:
            planned, output, step_s = self._compute()
        except StepAborted:
            return events
        self.num_steps += 1
        self._learn(planned, step_s)
        for sequence, count in planned:
            assert sequence.handle is not None
            sequence.num_computed += count
            self._index.extend(sequence.handle, sequence.num_computed)
        for (sequence, _), rows in zip(planned, output.logits, strict=True):
            if len(rows) and sequence.handle is not None:
                events += self._draw(sequence, rows[-1])
        return events

    def _draw(self, sequence: Sequence, row: LogitsArray) -> list[RequestEvent]:
        try:
            events: list[RequestEvent] = [sequence.accept(row, self._clock)]
        except BackendError as error:  # a row of NaN: the other sequences of the step are well
            self.cancel(sequence.request.id)
            return [Failed(id=sequence.request.id, error=to_info(error))]
        self.num_tokens_done += 1
        if sequence.finish_reason is not None:
            events.append(sequence.finished(self._clock()))
            self._leave(sequence)
        return events

    def stats(self, tokens_per_s: float, memory_bytes: int) -> Stats:
        """Return the engine's state with the figures that the worker measured."""
        return Stats(
            num_running=len(self._running),
            num_waiting=len(self._waiting),
            kv_used_tokens=self._traits.kv_capacity_tokens - self._model.free_tokens(),
            kv_retained_tokens=self._index.retained_tokens,
            num_preemptions=self.num_preemptions,
            num_steps=self.num_steps,
            tokens_per_s=tokens_per_s,
            memory_bytes=memory_bytes,
        )

    def check_integrity(self) -> None:
        """Assert that index, handles and model agree. For tests."""
        self._index.check_integrity()
        self._offloaded.check_integrity()
        running = {s.handle for s in self._running}
        assert len(running) == len(self._running)
        assert len(self._index) + len(self._free_handles) == self._traits.max_sequences
        assert self._index.num_retained() == len(self._index) - len(self._running)
        for sequence in self._running:
            assert sequence.handle is not None
            assert self._model.length_tokens(sequence.handle) == sequence.num_computed

    # Admission: a waiting sequence takes a handle, and with it the longest prefix that anyone holds.

    def _admit(self) -> list[RequestEvent]:
        events: list[RequestEvent] = []
        for sequence in list(self._waiting):
            if len(self._running) >= self._traits.max_step_sequences:
                break
            request = sequence.request
            owner = None if request.cache_prompt else request.id
            match = self._index.match(sequence.tokens, owner=owner)
            if match.num_coming - match.num_tokens >= MIN_SHARED_TOKENS:
                continue  # someone computes this prefix right now: copied in a moment, it costs nothing
            offloaded, num_usable = self._offloaded.match(sequence.tokens, owner=owner)
            if offloaded is not None and num_usable > match.num_tokens:
                source: Entry | OffloadedPrefix | None = offloaded
                num_cached = num_usable
            else:
                source, num_cached = match.entry, match.num_tokens
            if not self._has_room(sequence, source, num_cached):
                break  # whoever came later does not overtake
            self._take_place(sequence, source, num_cached)
            if sequence.choice == 0 and sequence.num_tokens == sequence.num_prompt:
                accepted = Accepted(
                    id=request.id, num_prompt_tokens=sequence.num_prompt, cached_tokens=sequence.cached_tokens
                )
                events.append(accepted)
        self._clear_idle_cells()
        return events

    def _has_room(self, sequence: Sequence, source: Entry | OffloadedPrefix | None, num_cached: int) -> bool:
        """Return whether the sequence fits beside the running ones, after evicting what is merely retained."""
        needed = sequence.num_tokens + len(self._running)
        if isinstance(source, OffloadedPrefix):
            needed = max(needed, len(source.tokens))
        elif self._traits.copy_cost == "shared":
            needed -= num_cached
        while self._running and (self._model.free_tokens() < needed or not self._free_handles):
            if not self._evict_oldest(keep=source):
                return False
        return True

    def _take_place(self, sequence: Sequence, source: Entry | OffloadedPrefix | None, num_cached: int) -> None:
        """Give the sequence a handle that begins with what `source` holds of it, and let it run."""
        if isinstance(source, Entry) and not source.is_locked and source.num_tokens == num_cached:
            handle = source.handle
            self._index.remove(handle)
        else:
            while not self._free_handles:
                if not self._evict_oldest(keep=source):
                    self._evict_oldest(keep=None)
                    source, num_cached = None, 0
            handle = self._free_handles.pop()
            if isinstance(source, Entry):
                self._model.copy(source.handle, handle, num_cached)
            elif source is not None:
                num_cached = self._restore(handle, source, num_cached)
        now_s = self._clock()
        sequence.admit(handle, num_cached, now_s)
        entry = Entry(
            handle=handle,
            owner=sequence.request.id,
            tokens=sequence.buffer,
            num_tokens=num_cached,
            num_planned=sequence.num_tokens,
            is_locked=True,
            last_used_s=now_s,
        )
        self._index.insert(entry)
        self._waiting.remove(sequence)
        self._running.append(sequence)
        self._running.sort(key=_order)

    # Main memory: what nobody uses moves out of the cells where idle cells slow every step.

    def _clear_idle_cells(self) -> None:
        while self._index.retained_tokens > self._max_idle_tokens():
            self._evict_oldest(keep=None)

    def _max_idle_tokens(self) -> int:
        if self._traits.retain == "no":
            return 0
        is_free = self._traits.retain == "free" or not self._running
        return self._traits.kv_capacity_tokens if is_free else MAX_IDLE_TOKENS

    def _evict_oldest(self, keep: Entry | OffloadedPrefix | None) -> bool:
        """Take the least recently used idle prefix, but not `keep`, out of the cache; False if there is none."""
        entry = self._index.oldest_retained(keep)
        if entry is None:
            return False
        if entry.num_tokens >= MIN_SHARED_TOKENS:
            snapshot = self._model.snapshot(entry.handle, entry.num_tokens)
            tokens = entry.tokens[: entry.num_tokens].copy()
            self._offloaded.insert(OffloadedPrefix(entry.owner, tokens, snapshot))
        self._free(entry.handle)
        return True

    def _restore(self, handle: int, prefix: OffloadedPrefix, num_cached: int) -> int:
        """Bring a prefix back and return how much of it is there: nothing, if it cannot be read or does not fit."""
        if num_cached == len(prefix.tokens):
            self._offloaded.remove(prefix)  # the sequence continues all of it, and leaves more behind
        try:
            self._model.restore(handle, prefix.snapshot)
        except (SnapshotRejected, KVCacheFull):
            return 0
        if num_cached < len(prefix.tokens):
            self._model.truncate(handle, num_cached)
        return num_cached

    # The step: plan, compute, and make room where the cache is full.

    def _compute(self) -> tuple[list[tuple[Sequence, int]], StepOutput, float]:
        while True:
            planned = self._plan()
            batch = Batch(tuple(_run(sequence, count) for sequence, count in planned))
            started_s = self._clock()
            try:
                output = self._model.step(batch)
            except KVCacheFull:
                if not self._evict_oldest(keep=None):
                    self._preempt_youngest()
                continue
            return planned, output, self._clock() - started_s

    def _plan(self) -> list[tuple[Sequence, int]]:
        works = [sequence.work for sequence in self._running]
        num_decodes = sum(work.is_decode for work in works)
        budget = None
        if num_decodes and num_decodes < len(works):
            budget = self._cost.prefill_budget_tokens(
                self._shape(num_decodes, 0), len(works) - num_decodes, self._step_time_target_s
            )
        counts = plan_step(works, self._traits, budget)
        planned = [(s, n) for s, n in zip(self._running, counts, strict=True) if n]
        planned.sort(key=lambda item: item[1] > 1)
        return planned

    def _shape(self, num_decodes: int, num_prefill_tokens: int) -> StepShape:
        return StepShape(
            prefill_tokens=num_prefill_tokens,
            decode_runs=num_decodes,
            context_tokens=sum(sequence.num_computed for sequence in self._running),
            retained_tokens=self._index.retained_tokens,
        )

    def _learn(self, planned: list[tuple[Sequence, int]], step_s: float) -> None:
        num_decodes = sum(count == 1 for _, count in planned)
        num_prefill_tokens = sum(count for _, count in planned if count > 1)
        if not num_prefill_tokens and self.num_steps % LEARN_EVERY_STEPS:
            return
        self._cost.observe(self._shape(num_decodes, num_prefill_tokens), step_s)

    # Leaving: finished, cancelled, preempted.

    def _leave(self, sequence: Sequence) -> None:
        """End a running sequence. What it holds is retained."""
        handle, sequence.handle = sequence.handle, None
        assert handle is not None
        self._running.remove(sequence)
        if sequence.num_computed and sequence.request.cache_prompt:
            self._index.release(handle, self._clock())
            self._clear_idle_cells()
        else:
            self._free(handle)

    def _preempt_youngest(self) -> None:
        """Send the youngest sequence back to waiting. The last one is never sent: it fits by its context limit."""
        if len(self._running) < 2:
            raise OutOfDeviceMemory("the KV cache cannot hold a single sequence; set engine.context_tokens lower")
        sequence = self._running[-1]
        self._running.remove(sequence)
        assert sequence.handle is not None
        self._free(sequence.handle)
        sequence.preempt()
        self._waiting.append(sequence)
        self._waiting.sort(key=_order)
        self.num_preemptions += 1

    def _free(self, handle: int) -> None:
        self._model.truncate(handle, 0)
        self._index.remove(handle)
        self._free_handles.append(handle)


def _order(sequence: Sequence) -> tuple[int, int]:
    return PRIORITY_RANK[sequence.request.priority], sequence.rank


def _run(sequence: Sequence, count: int) -> Run:
    assert sequence.handle is not None
    start = sequence.num_computed
    is_last = start + count == sequence.num_tokens
    return Run(sequence.handle, start, sequence.tokens[start : start + count], 1 if is_last else 0)

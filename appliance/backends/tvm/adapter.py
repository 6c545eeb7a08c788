"""A decoder compiled from our kernels behind the seam: paged keys and values, shared by table entries.

Tokens are counted one by one, as everywhere: `free_tokens` knows nothing of pages. There are some more pages than the
tokens need, because the last page of a sequence is seldom full.
"""

from collections.abc import Sequence

import numpy as np

from appliance.backends.base import (
    Batch,
    KVCacheFull,
    LogitsArray,
    Run,
    Snapshot,
    SnapshotRejected,
    StepAborted,
    StepOutput,
    TokenArray,
)
from appliance.backends.cells import CellTable
from appliance.backends.rules import check_batch, check_copy, check_restore, check_snapshot, check_truncate
from appliance.backends.tvm import runtime
from appliance.backends.tvm.kv_pages import KvPages
from appliance.backends.tvm.pages import PageTable
from appliance.backends.tvm.prepared import PreparedModel
from appliance.core.plan import LoadPlan
from appliance.core.traits import ModelTraits
from appliance.errors import BackendError
from kernels.paging import PAGE, KvType, step_name, token_bytes
from kernels.shape import MAX_STEP_OUTPUTS, MAX_STEP_TOKENS, DecoderShape
from kernels.tiling import tiling_of
from kernels.turning import turns


class TvmModel:
    """A compiled decoder, its mapped weights and its pages."""

    def __init__(self, plan: LoadPlan, model: PreparedModel) -> None:
        shape = model.shape
        kv_type: KvType = "int8" if plan.kv_type == "int8" else "f16"
        self.traits = _traits(plan, shape, kv_type)
        num_pages = self.traits.kv_capacity_tokens // PAGE + self.traits.max_sequences
        self._brake = runtime.Brake(model.steps)
        self._step = model.steps[step_name(kv_type)]
        self._shape = shape
        self._layout = f"tvm/2 {model.name} {kv_type}"
        self._cells = CellTable(self.traits.kv_capacity_tokens, self.traits.max_sequences)
        self._table = PageTable(num_pages, self.traits.max_sequences)
        self._pages = KvPages(shape, num_pages, kv_type)
        self._page_tensors = runtime.listed([runtime.shared(array) for array in self._pages.arrays])
        self._weights = model.weights
        self._weight_tensors = runtime.listed([runtime.shared(array) for array in model.weights])
        self._turns = turns(shape.heads.size, model.rope.frequencies, self.traits.max_context_tokens)
        self._turns_tensor = runtime.copied(self._turns)
        self._logits = runtime.aligned_zeros((self.traits.max_step_outputs, shape.matrix("head")[0]), "float32")
        self._num_threads = plan.threads_prefill
        self.set_threads(plan.threads_decode, plan.threads_prefill)

    def step(self, batch: Batch) -> StepOutput:
        """Reserve pages, then compute everything in one call: what is kept is decided when it has come back."""
        self._brake.release()
        num_tokens, num_outputs = check_batch(batch, self.traits, self._cells)
        for run in batch.runs:
            self._check_tokens(run.tokens)
        if num_tokens > self._cells.num_free():
            raise KVCacheFull(f"{num_tokens} tokens do not fit into {self._cells.num_free()} free cells")
        self._reserve([(run.sequence, run.start, run.start + len(run.tokens)) for run in batch.runs])
        try:
            logits = self._compute(batch.runs, num_outputs)
        except RuntimeError:
            if not self._brake.has_stopped:
                raise
            for run in batch.runs:
                self._table.truncate(run.sequence, run.start)
            raise StepAborted from None
        for run in batch.runs:
            self._cells.append(run.sequence, len(run.tokens))
        return StepOutput(_split(logits, batch.runs))

    def copy(self, source: int, target: int, num_tokens: int) -> None:
        """Share pages; nothing is copied until one of the two writes behind a shared part of a page."""
        check_copy(source, target, num_tokens, self.traits, self._cells)
        self._table.share(source, target, num_tokens)
        self._cells.share(source, target, num_tokens)

    def truncate(self, sequence: int, num_tokens: int) -> None:
        """Give pages back."""
        check_truncate(sequence, num_tokens, self.traits, self._cells)
        self._table.truncate(sequence, num_tokens)
        self._cells.truncate(sequence, num_tokens)

    def length_tokens(self, sequence: int) -> int:
        """Return how many tokens the sequence holds."""
        return self._cells.length(sequence)

    def free_tokens(self) -> int:
        """Return how many more tokens fit."""
        return self._cells.num_free()

    def snapshot(self, sequence: int, start: int, end: int) -> Snapshot:
        """Return keys and values in the order of the tokens, whatever pages they lie in."""
        check_snapshot(sequence, start, end, self.traits, self._cells)
        content = self._pages.read(self._table.pages(sequence), start, end)
        return Snapshot(start, end - start, self._layout, (content,))

    def restore(self, sequence: int, snapshot: Snapshot) -> None:
        """Write a snapshot into pages of the sequence's own."""
        check_restore(sequence, snapshot, self._layout, self.traits, self._cells)
        content = snapshot.parts[0]
        if content.nbytes != self._pages.size_bytes(snapshot.num_tokens):
            raise SnapshotRejected(f"a snapshot of {snapshot.num_tokens} tokens cannot have {content.nbytes} bytes")
        if snapshot.num_tokens > self._cells.num_free():
            raise KVCacheFull(f"{snapshot.num_tokens} tokens do not fit into {self._cells.num_free()} free cells")
        self._reserve([(sequence, snapshot.start, snapshot.end)])
        self._pages.write(self._table.pages(sequence), snapshot.start, snapshot.end, content)
        self._cells.append(sequence, snapshot.num_tokens)

    def set_threads(self, decode: int, prefill: int) -> None:
        """Use so many threads; the kernels know no difference between decode and prefill."""
        self._num_threads = max(decode, prefill)
        runtime.set_threads(self._num_threads)

    def abort(self) -> None:
        """End the running step at its next kernel."""
        self._brake.pull()

    def close(self) -> None:
        """Let go of the memory."""
        del self._page_tensors, self._weight_tensors, self._turns_tensor, self._step, self._brake

    def _reserve(self, spans: Sequence[tuple[int, int, int]]) -> None:
        """Take the pages of all spans `(sequence, start, end)`, or of none. Raises: KVCacheFull."""
        for place, (sequence, start, end) in enumerate(spans):
            wanted = self._table.reserve(sequence, start, end)
            if wanted is None:
                for other, length, _ in spans[:place]:
                    self._table.truncate(other, length)
                raise KVCacheFull("every page of the KV cache is in use")
            self._pages.copy(wanted)

    def _compute(self, runs: Sequence[Run], num_outputs: int) -> LogitsArray:
        counts = np.array([len(run.tokens) for run in runs], np.int32)
        ids = np.concatenate([run.tokens for run in runs]).astype(np.int32, copy=False)
        sequences = np.repeat(np.arange(len(runs), dtype=np.int32), counts)
        positions = np.concatenate([np.arange(run.start, run.start + len(run.tokens), dtype=np.int32) for run in runs])
        tables = self._tables(runs)
        slots = tables[sequences, positions // PAGE] * PAGE + positions % PAGE
        ends = np.cumsum(counts)
        outputs = np.concatenate(
            [np.arange(end - run.num_outputs, end, dtype=np.int32) for run, end in zip(runs, ends, strict=True)]
        )
        # A step without outputs computes one row that nobody reads: a kernel over no rows is no kernel.
        rows = outputs if num_outputs else np.zeros(1, np.int32)
        logits = self._logits[: len(rows)]
        starts = np.array([run.start for run in runs], np.int32)
        tiling = tiling_of(counts, starts, self._shape.heads, self._num_threads)
        arguments = (ids, positions, slots.astype(np.int32), sequences, tables, *tiling, rows)
        self._step(
            *(runtime.copied(array) for array in arguments),
            self._page_tensors,
            self._turns_tensor,
            self._weight_tensors,
            runtime.shared(logits),
        )
        return logits[:num_outputs, : self.traits.vocab_size]

    def _tables(self, runs: Sequence[Run]) -> TokenArray:
        """Return the pages of each run's sequence, `(num_runs, max_pages) int32`."""
        pages = [self._table.pages(run.sequence) for run in runs]
        tables = np.zeros((len(runs), max(map(len, pages))), np.int32)
        for row, numbers in zip(tables, pages, strict=True):
            row[: len(numbers)] = numbers
        return tables

    def _check_tokens(self, tokens: TokenArray) -> None:
        if int(tokens.min()) < 0 or int(tokens.max()) >= self.traits.vocab_size:
            raise BackendError(f"a token is outside the vocabulary of {self.traits.vocab_size}")


def _traits(plan: LoadPlan, shape: DecoderShape, kv_type: KvType) -> ModelTraits:
    max_step_tokens = min(plan.max_step_tokens, MAX_STEP_TOKENS)
    return ModelTraits(
        task="generate",
        vocab_size=shape.vocab_size,
        max_context_tokens=min(plan.context_tokens, plan.kv_capacity_tokens),
        kv_capacity_tokens=plan.kv_capacity_tokens,
        max_sequences=plan.max_sequences,
        max_step_sequences=plan.max_step_sequences,
        max_step_tokens=max_step_tokens,
        max_step_outputs=min(MAX_STEP_OUTPUTS, max_step_tokens),
        chunk_multiple_tokens=1,
        copy_cost="shared",
        retain="free",
        can_truncate=True,
        is_batch_invariant=True,
        kv_bytes_per_token=len(shape.layers) * token_bytes(shape.heads, kv_type),
        max_adapters_per_step=0,
    )


def _split(logits: LogitsArray, runs: Sequence[Run]) -> tuple[LogitsArray, ...]:
    rows, begin = [], 0
    for run in runs:
        rows.append(logits[begin : begin + run.num_outputs])
        begin += run.num_outputs
    return tuple(rows)

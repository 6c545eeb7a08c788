"""A GGUF model behind the seam: one libllama context with a unified KV cache that all sequences share."""

import ctypes
from typing import Any

import numpy as np

from appliance.backends.base import (
    Batch,
    KVCacheFull,
    LogitsArray,
    Snapshot,
    SnapshotRejected,
    StepAborted,
    StepOutput,
)
from appliance.backends.cells import CellTable
from appliance.backends.llama_cpp import library
from appliance.backends.llama_cpp.context import AbortFlag, open_context, read_traits, snapshot_layout
from appliance.backends.llama_cpp.library import native
from appliance.backends.llama_cpp.token_batch import TokenBatch
from appliance.backends.rules import check_batch, check_copy, check_restore, check_snapshot, check_truncate
from appliance.core.plan import LoadPlan
from appliance.errors import BackendError

# Results of llama_decode. Source: llama.h, llama_decode.
_FULL, _ABORTED = 1, 2
_TO_THE_END = -1


class LlamaCppModel:
    """A model and its context. Counts cells itself, so that the library is never asked how full it is."""

    def __init__(self, plan: LoadPlan, model: Any) -> None:
        """`model` is libllama's, and this object's from now on."""
        self._context: Any = None
        self._model = model
        try:
            self.traits = read_traits(self._model, plan)
            self._abort_flag = AbortFlag()
            self._context = open_context(self._model, plan, self.traits, self._abort_flag)
        except BackendError:
            self.close()
            raise
        self._memory = native.llama_get_memory(self._context)
        self._layout = snapshot_layout(self._model, plan)
        self._scratch_sequence = self.traits.max_sequences
        self._batch = TokenBatch(self.traits.max_step_tokens, self.traits.max_context_tokens)
        self._cells = CellTable(self.traits.kv_capacity_tokens, self.traits.max_sequences)
        self._outputs: LogitsArray = np.empty((0, 0), np.float32)
        self._outputs_address = 0

    def step(self, batch: Batch) -> StepOutput:
        """Decode the batch in one call, which the library undoes as a whole when it fails."""
        self._abort_flag.clear()
        num_tokens, num_outputs = check_batch(batch, self.traits, self._cells)
        if num_tokens > self._cells.num_free():
            raise KVCacheFull(f"{num_tokens} tokens do not fit into {self._cells.num_free()} free cells")
        self._batch.fill(batch.runs, num_tokens)
        status = native.llama_decode(self._context, self._batch.native)
        if status != 0:
            raise _decode_error(status)
        for run in batch.runs:
            self._cells.append(run.sequence, len(run.tokens))
        return StepOutput(self._rows(batch, num_outputs))

    def copy(self, source: int, target: int, num_tokens: int) -> None:
        """Share cells; nothing is copied."""
        check_copy(source, target, num_tokens, self.traits, self._cells)
        native.llama_memory_seq_cp(self._memory, source, target, 0, num_tokens)
        self._cells.share(source, target, num_tokens)

    def truncate(self, sequence: int, num_tokens: int) -> None:
        """Drop the cells past `num_tokens`."""
        check_truncate(sequence, num_tokens, self.traits, self._cells)
        if num_tokens < self._cells.length(sequence):
            self._remove(sequence, num_tokens)
            self._cells.truncate(sequence, num_tokens)

    def length_tokens(self, sequence: int) -> int:
        """Return how many tokens the sequence holds."""
        return self._cells.length(sequence)

    def free_tokens(self) -> int:
        """Return how many cells are free."""
        return self._cells.num_free()

    def snapshot(self, sequence: int, start: int, end: int) -> Snapshot:
        """Return the library's own state of the sequence; a part of one is first shared with the scratch sequence."""
        check_snapshot(sequence, start, end, self.traits, self._cells)
        if end - start == self._cells.length(sequence):
            return Snapshot(0, end, self._layout, (self._read_state(sequence),))
        native.llama_memory_seq_cp(self._memory, sequence, self._scratch_sequence, start, end)
        try:
            return Snapshot(start, end - start, self._layout, (self._read_state(self._scratch_sequence),))
        finally:
            self._remove(self._scratch_sequence, 0)

    def restore(self, sequence: int, snapshot: Snapshot) -> None:
        """Write a state into free cells, which need not be neighbours."""
        check_restore(sequence, snapshot, self._layout, self.traits, self._cells)
        if snapshot.num_tokens > self._cells.num_free():
            raise KVCacheFull(f"{snapshot.num_tokens} tokens do not fit into {self._cells.num_free()} free cells")
        if snapshot.start == 0:
            self._write_state(sequence, snapshot)
        else:  # a state takes the place of all that its sequence holds
            self._write_state(self._scratch_sequence, snapshot)
            native.llama_memory_seq_cp(self._memory, self._scratch_sequence, sequence, snapshot.start, snapshot.end)
            self._remove(self._scratch_sequence, 0)
        self._cells.append(sequence, snapshot.num_tokens)

    def set_threads(self, decode: int, prefill: int) -> None:
        """Set the threads. The library uses those of prefill for every step of more than one token."""
        native.llama_set_n_threads(self._context, decode, prefill)

    def abort(self) -> None:
        """End the running step at its next graph node."""
        self._abort_flag.set()

    def close(self) -> None:
        """Free the context, then the model."""
        if self._context:
            native.llama_free(self._context)
        if self._model:
            native.llama_model_free(self._model)
        self._context = self._model = None

    def _rows(self, batch: Batch, num_outputs: int) -> tuple[LogitsArray, ...]:
        vocab_size = self.traits.vocab_size
        if num_outputs == 0:
            return tuple(np.empty((0, vocab_size), np.float32) for _ in batch.runs)
        rows = self._output_rows()
        logits, end = [], 0
        for run in batch.runs:
            begin, end = end, end + run.num_outputs
            logits.append(rows[begin:end])
        return tuple(logits)

    def _output_rows(self) -> LogitsArray:
        """Return the library's buffer of logits, all rows; the array is made anew only when the buffer has moved."""
        pointer = native.llama_get_logits(self._context)
        address = ctypes.addressof(pointer.contents)
        if address != self._outputs_address:
            self._outputs = np.ctypeslib.as_array(pointer, (self.traits.max_step_outputs, self.traits.vocab_size))
            self._outputs_address = address
        return self._outputs

    def _read_state(self, sequence: int) -> memoryview:
        content = np.empty(native.llama_state_seq_get_size(self._context, sequence), np.uint8)
        pointer = content.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        if native.llama_state_seq_get_data(self._context, pointer, content.nbytes, sequence) != content.nbytes:
            raise BackendError(library.failure("llama.cpp cannot write a snapshot"))
        return content.data

    def _write_state(self, sequence: int, snapshot: Snapshot) -> None:
        content = np.frombuffer(snapshot.parts[0], np.uint8)
        pointer = content.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        num_read = native.llama_state_seq_set_data(self._context, pointer, content.nbytes, sequence)
        last_position = native.llama_memory_seq_pos_max(self._memory, sequence)
        if num_read != content.nbytes or last_position != snapshot.end - 1:
            self._remove(sequence, 0)
            raise SnapshotRejected(library.failure("llama.cpp does not accept the snapshot"))

    def _remove(self, sequence: int, num_tokens: int) -> None:
        if not native.llama_memory_seq_rm(self._memory, sequence, num_tokens, _TO_THE_END):
            raise BackendError(f"llama.cpp cannot truncate sequence {sequence} to {num_tokens} tokens")


def _decode_error(status: int) -> Exception:
    if status == _FULL:
        return KVCacheFull("llama.cpp found no cells for the step")
    if status == _ABORTED:
        return StepAborted()
    return library.decode_failure(status, "llama.cpp failed to compute a step")

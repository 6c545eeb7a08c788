"""A GGUF model behind the seam: one libllama context with a unified KV cache that all sequences share."""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace

from appliance.backends.base import (
    Batch,
    KVCacheFull,
    LogitsArray,
    MediaSpan,
    Run,
    Snapshot,
    SnapshotRejected,
    StepAborted,
    StepOutput,
    TokenArray,
)
from appliance.backends.cells import CellTable
from appliance.backends.llama_cpp import library
from appliance.backends.llama_cpp.adapters import Adapters
from appliance.backends.llama_cpp.context import AbortFlag, open_context, read_traits, snapshot_layout
from appliance.backends.llama_cpp.library import native
from appliance.backends.llama_cpp.media import MediaEncoder, Part
from appliance.backends.llama_cpp.media_step import decode_medium
from appliance.backends.llama_cpp.positions import Positions
from appliance.backends.llama_cpp.token_batch import TokenBatch
from appliance.backends.rules import check_batch, check_copy, check_restore, check_snapshot, check_truncate
from appliance.core.plan import LoadPlan
from appliance.core.request import Media
from appliance.core.traits import AdapterId
from appliance.errors import BackendError

# Results of llama_decode. Source: llama.h, llama_decode.
_FULL, _ABORTED = 1, 2
_TO_THE_END = -1


class LlamaCppModel:
    """A model and its context. Counts cells itself, so that the library is never asked how full it is."""

    def __init__(self, plan: LoadPlan, model: Any) -> None:
        """`model` is libllama's, and this object's from now on."""
        self._context: Any = None
        self._media: MediaEncoder | None = None
        self._model = model
        try:
            self.traits = read_traits(self._model, plan)
            self._abort_flag = AbortFlag()
            self._context = open_context(self._model, plan, self.traits, self._abort_flag)
            self._media = _open_media(self._model, plan)
        except BackendError:
            self.close()
            raise
        if self._media is not None:
            self.traits = replace(self.traits, media=self._media.kinds)
        self._memory = native.llama_get_memory(self._context)
        self._adapters = Adapters(self._model, self._context)
        self._has_sections = self._media is not None and self._media.has_sections
        self._layout = snapshot_layout(self._model, plan) + (", media" if self._has_sections else "")
        self._scratch_sequence = self.traits.max_sequences
        self._positions = Positions(self.traits.max_sequences + 1)
        self._batch = TokenBatch(self.traits.max_step_tokens, self.traits.max_context_tokens)
        self._cells = CellTable(self.traits.kv_capacity_tokens, self.traits.max_sequences)
        self._outputs: LogitsArray = np.empty((0, 0), np.float32)
        self._outputs_address = 0

    def step(self, batch: Batch) -> StepOutput:
        """Decode the texts in one call, which the library undoes as a whole when it fails, and media before them."""
        self._abort_flag.clear()
        num_text_tokens, _ = check_batch(batch, self.traits, self._cells)
        media = [run for run in batch.runs if run.media is not None]
        texts = [run for run in batch.runs if run.media is None] if media else batch.runs
        num_tokens = num_text_tokens + sum(len(run.tokens) for run in media)
        if num_tokens > self._cells.num_free():
            raise KVCacheFull(f"{num_tokens} tokens do not fit into {self._cells.num_free()} free cells")
        self._adapters.apply(batch.adapters)
        try:
            rows = {run.sequence: self._decode_medium(run) for run in media}
            if num_text_tokens:
                self._batch.fill(texts, num_text_tokens, self._positions.of)
                _check_status(native.llama_decode(self._context, self._batch.native))
        except BaseException:
            for run in media:
                self._remove(run.sequence, run.start)
            raise
        for run in batch.runs:
            self._cells.append(run.sequence, len(run.tokens))
        for run in media:
            num_saved = len(run.tokens) - _part(run).num_positions
            self._positions.append(run.sequence, run.start + len(run.tokens), num_saved)
        if not media:
            return StepOutput(self._rows(texts))
        rows |= {run.sequence: row for run, row in zip(texts, self._rows(texts), strict=True)}
        return StepOutput(tuple(rows[run.sequence] for run in batch.runs))

    def copy(self, source: int, target: int, num_tokens: int) -> None:
        """Share cells; nothing is copied."""
        check_copy(source, target, num_tokens, self.traits, self._cells)
        native.llama_memory_seq_cp(self._memory, source, target, 0, self._positions.of(source, num_tokens))
        self._cells.share(source, target, num_tokens)
        self._positions.copy(source, target, num_tokens)

    def truncate(self, sequence: int, num_tokens: int) -> None:
        """Drop the cells past `num_tokens`."""
        check_truncate(sequence, num_tokens, self.traits, self._cells)
        if num_tokens < self._cells.length(sequence):
            self._remove(sequence, num_tokens)
            self._cells.truncate(sequence, num_tokens)
            self._positions.truncate(sequence, num_tokens)

    def length_tokens(self, sequence: int) -> int:
        """Return how many tokens the sequence holds."""
        return self._cells.length(sequence)

    def free_tokens(self) -> int:
        """Return how many cells are free."""
        return self._cells.num_free()

    def snapshot(self, sequence: int, start: int, end: int) -> Snapshot:
        """Return the library's own state of the sequence; a part of one is first shared with the scratch sequence."""
        check_snapshot(sequence, start, end, self.traits, self._cells)
        written = self._positions.written(sequence, start, end) if self._has_sections else b""
        if end - start == self._cells.length(sequence):
            return Snapshot(0, end, self._layout, (self._read_state(sequence, written),))
        first, behind = self._positions.of(sequence, start), self._positions.of(sequence, end)
        native.llama_memory_seq_cp(self._memory, sequence, self._scratch_sequence, first, behind)
        try:
            return Snapshot(start, end - start, self._layout, (self._read_state(self._scratch_sequence, written),))
        finally:
            self._remove(self._scratch_sequence, 0)

    def restore(self, sequence: int, snapshot: Snapshot) -> None:
        """Write a state into free cells, which need not be neighbours."""
        check_restore(sequence, snapshot, self._layout, self.traits, self._cells)
        if snapshot.num_tokens > self._cells.num_free():
            raise KVCacheFull(f"{snapshot.num_tokens} tokens do not fit into {self._cells.num_free()} free cells")
        content = snapshot.parts[0]
        if self._has_sections:
            num_bytes = self._positions.read(sequence, content)
            content = content[: content.nbytes - num_bytes]
        first, behind = self._positions.of(sequence, snapshot.start), self._positions.of(sequence, snapshot.end)
        try:
            if snapshot.start == 0:
                self._write_state(sequence, content, first, behind)
            else:  # a state takes the place of all that its sequence holds
                self._write_state(self._scratch_sequence, content, first, behind)
                native.llama_memory_seq_cp(self._memory, self._scratch_sequence, sequence, first, behind)
                self._remove(self._scratch_sequence, 0)
        except SnapshotRejected:
            self._positions.truncate(sequence, snapshot.start)
            raise
        self._cells.append(sequence, snapshot.num_tokens)

    def load_adapter(self, path: str) -> AdapterId:
        """Read an adapter in GGUF. Raises: BackendError, with the library's reason."""
        return self._adapters.load(path)

    def unload_adapter(self, adapter: AdapterId) -> None:
        """Free an adapter."""
        self._adapters.unload(adapter)

    def set_threads(self, decode: int, prefill: int) -> None:
        """Set the threads. The library uses those of prefill for every step of more than one token."""
        native.llama_set_n_threads(self._context, decode, prefill)

    def abort(self) -> None:
        """End the running step at its next graph node."""
        self._abort_flag.set()

    def close(self) -> None:
        """Free the projector and the context, then the model."""
        if self._media is not None:
            self._media.close()
        if self._context:
            native.llama_free(self._context)
        if self._model:
            native.llama_model_free(self._model)
        self._context = self._model = None

    def read_medium(self, medium: Media) -> tuple[TokenArray | MediaSpan, ...]:
        """Return what stands for a medium in a prompt. Raises: InvalidRequest."""
        assert self._media is not None, "only a model with a projector is given media"
        return self._media.read(medium)

    def encode(self, span: MediaSpan) -> None:
        """Compute the embeddings of a medium. Raises: BackendError."""
        assert isinstance(span.content, Part)
        span.content.chunk.embeddings()

    def _decode_medium(self, run: Run) -> LogitsArray:
        position = self._positions.of(run.sequence, run.start)
        _check_status(decode_medium(self._context, run, _part(run), position, self.traits.max_step_tokens))
        return self._rows([run])[0].copy()  # the library's rows are those of its last call

    def _rows(self, runs: Sequence[Run]) -> tuple[LogitsArray, ...]:
        vocab_size = self.traits.vocab_size
        if not any(run.num_outputs for run in runs):
            return tuple(np.empty((0, vocab_size), np.float32) for _ in runs)
        rows = self._output_rows()
        logits, end = [], 0
        for run in runs:
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

    def _read_state(self, sequence: int, written: bytes) -> memoryview:
        """Return the library's own state of a sequence, and behind it what was `written` of its positions."""
        num_bytes = native.llama_state_seq_get_size(self._context, sequence)
        content = np.empty(num_bytes + len(written), np.uint8)
        pointer = content.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        if native.llama_state_seq_get_data(self._context, pointer, num_bytes, sequence) != num_bytes:
            raise BackendError(library.failure("llama.cpp cannot write a snapshot"))
        content[num_bytes:] = np.frombuffer(written, np.uint8)
        return content.data

    def _write_state(self, sequence: int, state: memoryview, first: int, behind: int) -> None:
        """Let the sequence become a state of positions `[first, behind)`. Raises: SnapshotRejected."""
        content = np.frombuffer(state, np.uint8)
        pointer = content.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        num_read = native.llama_state_seq_set_data(self._context, pointer, content.nbytes, sequence)
        last = native.llama_memory_seq_pos_max(self._memory, sequence)
        is_at_end = first <= last < behind if self._has_sections else last == behind - 1  # a picture has but one
        if num_read != content.nbytes or not is_at_end:
            self._remove(sequence, 0)
            raise SnapshotRejected(library.failure("llama.cpp does not accept the snapshot"))

    def _remove(self, sequence: int, num_tokens: int) -> None:
        position = self._positions.of(sequence, num_tokens)
        if not native.llama_memory_seq_rm(self._memory, sequence, position, _TO_THE_END):
            raise BackendError(f"llama.cpp cannot truncate sequence {sequence} to {num_tokens} tokens")


def _part(run: Run) -> Part:
    assert run.media is not None
    assert isinstance(run.media.content, Part)
    return run.media.content


def _check_status(status: int) -> None:
    if status == _FULL:
        raise KVCacheFull("llama.cpp found no cells for the step")
    if status == _ABORTED:
        raise StepAborted
    if status != 0:
        raise library.decode_failure(status, "llama.cpp failed to compute a step")


def _open_media(model: Any, plan: LoadPlan) -> MediaEncoder | None:
    path = plan.artefact.projector_path
    return MediaEncoder(path, model, plan.threads_prefill, plan.max_step_tokens) if path else None

"""A decoder in ONNX behind the seam: one session, one row of KV cache for each sequence."""

from collections.abc import Callable, Sequence

import numpy as np
import onnxruntime as native
from msgspec.structs import replace

from appliance.backends.base import (
    Batch,
    KVCacheFull,
    LogitsArray,
    Run,
    Snapshot,
    SnapshotRejected,
    StepAborted,
    StepOutput,
)
from appliance.backends.onnx.arena import Arena
from appliance.backends.onnx.bindings import Bindings
from appliance.backends.onnx.layout import DecoderLayout
from appliance.backends.onnx.limits import CHUNK_TOKENS, MAX_STEP_OUTPUTS
from appliance.backends.onnx.prepared import Prepared
from appliance.backends.onnx.provider_choice import ON_PROCESSOR, Choice, placed_on
from appliance.backends.onnx.session import library_error, open_session, return_freed_memory
from appliance.backends.rules import check_batch, check_copy, check_restore, check_snapshot, check_truncate
from appliance.backends.sequence_lengths import SequenceLengths
from appliance.core.plan import LoadPlan
from appliance.core.traits import ModelTraits


class OnnxDecoder:
    """A session and its rows. A length is only a number, so that a failed step changes nothing."""

    def __init__(
        self,
        plan: LoadPlan,
        prepared: Prepared,
        progress: Callable[[float], None],
        choice: Choice = ON_PROCESSOR,
    ) -> None:
        progress(0.0)
        layout = prepared.decoder
        self._session = open_session(prepared.graph, prepared.weights_folder, plan.threads_prefill, choice)
        self.traits = replace(_traits(plan, layout), placed=placed_on(choice, self._session.get_providers()))
        self._lengths = SequenceLengths(self.traits.max_sequences)
        self._layout_name = (
            f"onnx/2 {native.__version__} {plan.artefact.digest} {layout.kv_bytes_per_token} {layout.kv_type}"
        )
        self._arena = Arena(layout, self.traits.max_sequences, self.traits.max_context_tokens)
        # A run that wants no logits has a row computed all the same.
        num_rows = self.traits.max_step_outputs + self.traits.max_step_sequences
        self._outputs: LogitsArray = np.empty((num_rows, layout.vocab_size), np.float32)
        self._bindings = Bindings(self._session, layout, self._arena, self.traits.max_step_tokens, self._outputs)
        self._run_options = native.RunOptions()
        progress(1.0)

    def step(self, batch: Batch) -> StepOutput:
        """Compute all single tokens in one call and each longer run in a call of its own."""
        self._run_options.terminate = False
        num_tokens, _ = check_batch(batch, self.traits, self._lengths)
        self._require_room(num_tokens)
        decodes = [run for run in batch.runs if len(run.tokens) == 1]
        logits: dict[int, LogitsArray] = {}
        num_used = self._decode(decodes, logits) if decodes else 0
        for run in batch.runs:
            if len(run.tokens) > 1:
                num_used += self._prefill(run, num_used, logits)
        for run in batch.runs:
            self._lengths.append(run.sequence, len(run.tokens))
        return StepOutput(tuple(logits[run.sequence] for run in batch.runs))

    def copy(self, source: int, target: int, num_tokens: int) -> None:
        """Copy the tokens' keys and values into the target's row. Raises: KVCacheFull."""
        check_copy(source, target, num_tokens, self.traits, self._lengths)
        self._require_room(num_tokens)
        self._arena.copy(source, target, num_tokens)
        self._lengths.append(target, num_tokens)

    def truncate(self, sequence: int, num_tokens: int) -> None:
        """Shorten the sequence; at 0 its row is free and its memory the system's."""
        check_truncate(sequence, num_tokens, self.traits, self._lengths)
        self._lengths.truncate(sequence, num_tokens)
        if num_tokens == 0:
            self._arena.release(sequence)

    def length_tokens(self, sequence: int) -> int:
        """Return how many tokens the sequence holds."""
        return self._lengths.length(sequence)

    def free_tokens(self) -> int:
        """Return what is left of the capacity, which limits memory: every row could hold a whole context."""
        return self.traits.kv_capacity_tokens - self._lengths.total

    def snapshot(self, sequence: int, start: int, end: int) -> Snapshot:
        """Return a copy of a part of the row."""
        check_snapshot(sequence, start, end, self.traits, self._lengths)
        return Snapshot(start, end - start, self._layout_name, (self._arena.read(sequence, start, end).data,))

    def restore(self, sequence: int, snapshot: Snapshot) -> None:
        """Write behind what the row holds. Raises: KVCacheFull, SnapshotRejected."""
        check_restore(sequence, snapshot, self._layout_name, self.traits, self._lengths)
        content = np.frombuffer(snapshot.parts[0], np.uint8)
        expected_bytes = snapshot.num_tokens * self.traits.kv_bytes_per_token
        if content.nbytes != expected_bytes:
            raise SnapshotRejected(f"a snapshot of {snapshot.num_tokens} tokens has {expected_bytes} bytes")
        self._require_room(snapshot.num_tokens)
        self._arena.write(sequence, snapshot.start, content)
        self._lengths.append(sequence, snapshot.num_tokens)

    def set_threads(self, decode: int, prefill: int) -> None:
        """Do nothing: a session has the threads that it was made with."""

    def abort(self) -> None:
        """End the running call at its next node."""
        self._run_options.terminate = True

    def close(self) -> None:
        """Free the session, then the rows that it points to."""
        self._bindings.close()
        del self._bindings, self._session
        self._arena.close()
        return_freed_memory()

    def _row(self, run: Run) -> int:
        """Return the row of the run's sequence, noted as written: an aborted run may have written, too."""
        row = self._arena.row(run.sequence)
        self._arena.touch(row, run.start + len(run.tokens))
        return row

    def _decode(self, runs: Sequence[Run], logits: dict[int, LogitsArray]) -> int:
        """Fill in one row of logits for each run and return how many rows of the outputs were used."""
        first = self._arena.gather([run.sequence for run in runs], self._lengths.length)
        runs = sorted(runs, key=self._row)
        tokens = np.array([run.tokens[0] for run in runs], np.int32)
        lengths = np.array([run.start for run in runs], np.int32)
        self._run(self._bindings.decode(first, tokens, lengths, 0))
        for index, run in enumerate(runs):
            logits[run.sequence] = self._outputs[index : index + run.num_outputs]
        return len(runs)

    def _prefill(self, run: Run, output_row: int, logits: dict[int, LogitsArray]) -> int:
        """Fill in the run's logits and return how many rows of the outputs were used."""
        self._run(self._bindings.prefill(self._row(run), run.tokens, run.start, run.num_outputs, output_row))
        logits[run.sequence] = self._outputs[output_row : output_row + run.num_outputs]
        return run.num_outputs

    def _run(self, binding: object) -> None:
        try:
            self._session.run_with_iobinding(binding, self._run_options)
        except Exception as error:  # the library's errors have no common class
            if self._run_options.terminate:
                raise StepAborted from None
            raise library_error("onnxruntime failed to compute a step", error) from None

    def _require_room(self, num_tokens: int) -> None:
        if num_tokens > self.free_tokens():
            raise KVCacheFull(f"{num_tokens} tokens do not fit into the {self.free_tokens()} that are free")


def _traits(plan: LoadPlan, layout: DecoderLayout) -> ModelTraits:
    return ModelTraits(
        task="generate",
        vocab_size=layout.vocab_size,
        max_context_tokens=min(plan.context_tokens, plan.kv_capacity_tokens),
        kv_capacity_tokens=plan.kv_capacity_tokens,
        max_sequences=plan.max_sequences,
        max_step_sequences=plan.max_step_sequences,
        max_step_tokens=plan.max_step_tokens,
        max_step_outputs=min(MAX_STEP_OUTPUTS, plan.max_step_tokens),
        chunk_multiple_tokens=CHUNK_TOKENS,
        copy_cost="memory",
        retain="no",
        can_truncate=True,
        is_batch_invariant=layout.is_batch_invariant,
        kv_bytes_per_token=layout.kv_bytes_per_token,
        max_adapters_per_step=0,
        is_prefill_batched=False,
        can_set_threads=False,
    )

"""The reference backend: deterministic and without a model. It answers a chat by repeating the last message.

The engine, the link and the daemon are tested against it, also against its faults: an artefact's path such as
`echo:?step_s=0.01&die_after_steps=5` makes the real worker process slow, or lets it die.
"""

import os
import signal
import threading
import time
from collections.abc import Callable

import numpy as np

from appliance.backends.base import (
    Batch,
    KVCacheFull,
    LogitsArray,
    MediaSpan,
    Snapshot,
    SnapshotRejected,
    StepAborted,
    StepOutput,
    TokenArray,
)
from appliance.backends.cells import CellTable
from appliance.backends.echo_adapters import EchoAdapters, marked, plain
from appliance.backends.echo_description import (
    KV_BYTES_PER_TOKEN,
    MAX_ADAPTERS_PER_STEP,
    EchoOptions,
    parse_options,
)
from appliance.backends.echo_encoder import EchoEncoder, EchoInputs
from appliance.backends.echo_parrot import favour, noise_row, prefix_digests
from appliance.backends.echo_tokenizer import EchoTokenizer
from appliance.backends.media_keys import MIN_TOKENS, media_keys
from appliance.backends.rules import check_batch, check_copy, check_restore, check_snapshot, check_truncate
from appliance.core.plan import Artefact, LoadPlan
from appliance.core.request import Media
from appliance.core.traits import AdapterId, ModelTraits
from appliance.errors import BackendError, InvalidRequest

_MAX_STEP_OUTPUTS = 64
_LOAD_TICKS = 10


class EchoModel:
    """The seam in its plainest form: tokens in lists, logits from a digest of the tokens so far."""

    def __init__(self, plan: LoadPlan, options: EchoOptions) -> None:
        self.traits = _traits(plan, options)
        self._options = options
        self._layout = f"echo/3/{options.vocab}"
        self._cells = CellTable(self.traits.kv_capacity_tokens, plan.max_sequences)
        self._tokens: list[list[int]] = [[] for _ in range(plan.max_sequences)]
        self._adapters = EchoAdapters()
        self._aborted = threading.Event()
        self._num_steps = 0
        # One buffer for every step, as a native library has: a caller that keeps a row past its time is found out.
        self._rows = np.empty((_MAX_STEP_OUTPUTS, options.vocab), np.float32)

    def step(self, batch: Batch) -> StepOutput:
        """Append the tokens and return rows that favour the parrot's answer."""
        self._aborted.clear()
        check_batch(batch, self.traits, self._cells)
        num_tokens = sum(len(run.tokens) for run in batch.runs)
        for run in batch.runs:
            if run.media is None:
                self._check_tokens(run.tokens)
        if num_tokens > self._cells.num_free():
            raise KVCacheFull(f"{num_tokens} tokens do not fit into {self._cells.num_free()} free cells")
        self._suffer_faults()
        if self._aborted.wait(self._options.step_s + self._options.token_s * num_tokens):
            raise StepAborted
        mark = self._adapters.mark(batch.adapters)
        logits, num_rows = [], 0
        for run in batch.runs:
            self._append(run.sequence, marked(run.tokens.tolist(), mark))
            rows = self._rows[num_rows : num_rows + run.num_outputs]
            self._fill(rows, self._tokens[run.sequence], 0.0 if mark else self._options.emphasis)
            logits.append(rows)
            num_rows += run.num_outputs
        return StepOutput(tuple(logits))

    def copy(self, source: int, target: int, num_tokens: int) -> None:
        """Share the first cells of `source` with `target`, or take as many for it."""
        check_copy(source, target, num_tokens, self.traits, self._cells)
        if self.traits.copy_cost == "shared":
            self._cells.share(source, target, num_tokens)
        elif num_tokens > self._cells.num_free():
            raise KVCacheFull(f"a copy of {num_tokens} tokens does not fit into {self._cells.num_free()} free cells")
        else:
            self._cells.append(target, num_tokens)
        self._tokens[target] = self._tokens[source][:num_tokens]

    def truncate(self, sequence: int, num_tokens: int) -> None:
        """Forget everything past `num_tokens`."""
        check_truncate(sequence, num_tokens, self.traits, self._cells)
        self._cells.truncate(sequence, num_tokens)
        del self._tokens[sequence][num_tokens:]

    def length_tokens(self, sequence: int) -> int:
        """Return how many tokens the sequence holds."""
        return self._cells.length(sequence)

    def free_tokens(self) -> int:
        """Return how many more tokens fit."""
        return self._cells.num_free()

    def snapshot(self, sequence: int, start: int, end: int) -> Snapshot:
        """Return the tokens as bytes."""
        check_snapshot(sequence, start, end, self.traits, self._cells)
        content = np.array(self._tokens[sequence][start:end], np.int32).tobytes()
        return Snapshot(start, end - start, self._layout, (memoryview(content),))

    def restore(self, sequence: int, snapshot: Snapshot) -> None:
        """Append the tokens of a snapshot."""
        check_restore(sequence, snapshot, self._layout, self.traits, self._cells)
        part = snapshot.parts[0]
        if part.nbytes != snapshot.num_tokens * KV_BYTES_PER_TOKEN:
            raise SnapshotRejected(f"a snapshot of {snapshot.num_tokens} tokens cannot have {part.nbytes} bytes")
        if snapshot.num_tokens > self._cells.num_free():
            raise KVCacheFull(f"{snapshot.num_tokens} tokens do not fit into {self._cells.num_free()} free cells")
        self._append(sequence, np.frombuffer(part, np.int32).tolist())

    def load_adapter(self, path: str) -> AdapterId:
        """Read any file: its bytes decide what is said with it. Raises: BackendError."""
        return self._adapters.load(path)

    def unload_adapter(self, adapter: AdapterId) -> None:
        """Forget an adapter."""
        self._adapters.unload(adapter)

    def read_medium(self, medium: Media) -> tuple[TokenArray | MediaSpan, ...]:
        """Return a few keys between two tokens; what begins with `broken` is so. Raises: InvalidRequest."""
        if medium.kind not in self.traits.media or medium.data.startswith(b"broken"):
            raise InvalidRequest(f"the {medium.kind} cannot be read")
        keys = media_keys(medium.digest, 0, MIN_TOKENS + len(medium.data) % 5)
        opening, closing = (np.frombuffer(mark, np.uint8).astype(np.int32) for mark in (b"<", b">"))
        return opening, MediaSpan(keys, None), closing

    def encode(self, span: MediaSpan) -> None:
        """Do nothing: keys are all that echo looks at."""

    def set_threads(self, decode: int, prefill: int) -> None:
        """Ignore the wish: nothing here is computed in parallel."""

    def abort(self) -> None:
        """End a slow step."""
        self._aborted.set()

    def close(self) -> None:
        """Free nothing."""

    def _append(self, sequence: int, tokens: list[int]) -> None:
        self._cells.append(sequence, len(tokens))
        self._tokens[sequence].extend(tokens)

    def _fill(self, rows: LogitsArray, held: list[int], emphasis: float) -> None:
        if not len(rows):
            return
        digests, tokens = prefix_digests(held), plain(held)
        first = len(tokens) - len(rows) + 1
        for row, length in zip(rows, range(first, len(tokens) + 1), strict=True):
            noise_row(row, digests[length - 1])
            favour(row, tokens[:length], emphasis)

    def _check_tokens(self, tokens: TokenArray) -> None:
        if int(tokens.min()) < 0 or int(tokens.max()) >= self.traits.vocab_size:
            raise BackendError(f"a token is outside the vocabulary of {self.traits.vocab_size}")

    def _suffer_faults(self) -> None:
        options = self._options
        if options.die_after_steps is not None and self._num_steps >= options.die_after_steps:
            _die()
        if options.fail_after_steps is not None and self._num_steps >= options.fail_after_steps:
            raise BackendError(f"echo was asked to fail after {options.fail_after_steps} steps")
        self._num_steps += 1


class EchoBackend:
    """Echo runs everywhere."""

    def open_inputs(self, artefact: Artefact) -> EchoInputs:
        """Return the same bytes as inputs of an encoder."""
        return EchoInputs(self.open_tokenizer(artefact))

    def open_tokenizer(self, artefact: Artefact) -> EchoTokenizer:
        """Return the byte tokenizer. Raises: BackendError, if the artefact asks for an impossible one."""
        options = parse_options(artefact.path)
        return EchoTokenizer(options.vocab, options.chat)

    def load(self, plan: LoadPlan, progress: Callable[[float], None]) -> EchoModel | EchoEncoder:
        """Return an echo model, after as long as its options ask for. Raises: BackendError, if they ask for that."""
        options = parse_options(plan.artefact.path)
        for tick in range(_LOAD_TICKS):
            progress(tick / _LOAD_TICKS)
            time.sleep(options.load_s / _LOAD_TICKS)
        if options.die_on_load:
            _die()
        if options.fail_load is not None:
            raise BackendError(options.fail_load)
        progress(1.0)
        return EchoModel(plan, options) if options.task == "generate" else EchoEncoder(plan, options)


def _traits(plan: LoadPlan, options: EchoOptions) -> ModelTraits:
    return ModelTraits(
        task="generate",
        vocab_size=options.vocab,
        max_context_tokens=options.context or plan.context_tokens,
        kv_capacity_tokens=options.capacity or plan.kv_capacity_tokens,
        max_sequences=plan.max_sequences,
        max_step_sequences=plan.max_step_sequences,
        max_step_tokens=plan.max_step_tokens,
        max_step_outputs=_MAX_STEP_OUTPUTS,
        chunk_multiple_tokens=options.grid,
        copy_cost=options.copy,
        retain=options.retain,
        can_truncate=options.truncate,
        is_batch_invariant=True,
        kv_bytes_per_token=KV_BYTES_PER_TOKEN,
        max_adapters_per_step=MAX_ADAPTERS_PER_STEP,
        can_set_threads=False,
        is_prefill_batched=options.batch,
        media=options.media,
    )


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)

"""What every backend refuses in the same words: calls that break the seam's promises. Breaking one is a bug above."""

from typing import NoReturn, Protocol

from appliance.backends.base import Batch, Run, Snapshot, SnapshotRejected
from appliance.core.traits import ModelTraits
from appliance.errors import BackendError


class Lengths(Protocol):
    """Whoever knows how many tokens each sequence holds."""

    def length(self, sequence: int) -> int:
        """Return the tokens of one sequence."""


def check_batch(batch: Batch, traits: ModelTraits, lengths: Lengths) -> tuple[int, int]:
    """Return the tokens of text and the outputs of a batch that the traits allow.

    Raises: BackendError, naming the broken rule.
    """
    num_tokens = num_outputs = 0
    for run in batch.runs:
        num_run_tokens = len(run.tokens)
        # One condition for the run of every step; only a broken one is worth the words.
        if not (
            0 <= run.sequence < traits.max_sequences
            and run.start == lengths.length(run.sequence)
            and 0 <= run.num_outputs <= num_run_tokens > 0
            and run.start + num_run_tokens <= traits.max_context_tokens
            and (run.media is None or (traits.media and len(run.media.keys) == num_run_tokens))
        ):
            _refuse_run(run, traits, lengths)
        if run.media is None:
            num_tokens += num_run_tokens
        num_outputs += run.num_outputs
    num_runs = len(batch.runs)
    _require(num_runs > 0, "a step needs at least one run")
    _require(len({run.sequence for run in batch.runs}) == num_runs, "a sequence occurs twice in one step")
    _require(num_runs <= traits.max_step_sequences, "more runs than a step takes")
    _require(num_tokens <= traits.max_step_tokens, "more tokens than a step takes")
    _require(num_outputs <= traits.max_step_outputs, "more rows of logits than a step returns")
    _require(len(batch.adapters) <= traits.max_adapters_per_step, "more adapters in one step than the model can hold")
    return num_tokens, num_outputs


def check_copy(source: int, target: int, num_tokens: int, traits: ModelTraits, lengths: Lengths) -> None:
    """Refuse to copy from nothing, onto something, or a part where only the whole can be. Raises: BackendError."""
    _check_range(source, 0, num_tokens, traits, lengths)
    _check_sequence(target, traits)
    _require(lengths.length(target) == 0, f"sequence {target} is not empty")


def check_truncate(sequence: int, num_tokens: int, traits: ModelTraits, lengths: Lengths) -> None:
    """Refuse to truncate to more than there is, or to a part where only 0 is possible. Raises: BackendError."""
    _check_sequence(sequence, traits)
    length = lengths.length(sequence)
    _require(0 <= num_tokens <= length, f"sequence {sequence} holds {length} tokens, not {num_tokens}")
    _require(traits.can_truncate or num_tokens in (0, length), "this model's cache can only be dropped as a whole")


def check_snapshot(sequence: int, start: int, end: int, traits: ModelTraits, lengths: Lengths) -> None:
    """Refuse a snapshot of more than there is, or of a part where only the whole can be taken. Raises: BackendError."""
    _check_range(sequence, start, end, traits, lengths)


def check_restore(sequence: int, snapshot: Snapshot, layout: str, traits: ModelTraits, lengths: Lengths) -> None:
    """Refuse to append a snapshot to other tokens than those before it, and one that this model did not make.

    Raises: BackendError; SnapshotRejected, if another model, backend or version made it.
    """
    _check_sequence(sequence, traits)
    length = lengths.length(sequence)
    _require(length == snapshot.start, f"sequence {sequence} holds {length} tokens, not {snapshot.start}")
    if snapshot.layout != layout:
        raise SnapshotRejected(f"the snapshot is of layout {snapshot.layout}, this model reads {layout}")
    is_possible = snapshot.start < snapshot.end <= traits.max_context_tokens and (
        traits.can_truncate or snapshot.start == 0
    )
    if not is_possible or len(snapshot.parts) != 1:
        tokens = f"tokens [{snapshot.start}, {snapshot.end})"
        raise SnapshotRejected(f"a snapshot of {tokens} in {len(snapshot.parts)} parts is not ours")


def _refuse_run(run: Run, traits: ModelTraits, lengths: Lengths) -> NoReturn:
    _check_sequence(run.sequence, traits)
    length, num_tokens = lengths.length(run.sequence), len(run.tokens)
    raise BackendError(
        f"a call broke the rules of the backend: sequence {run.sequence} holds {length} tokens of at most "
        f"{traits.max_context_tokens}; a run of {num_tokens} tokens at {run.start} with {run.num_outputs} outputs "
        f"{'and media ' if run.media else ''}cannot follow"
    )


def _check_range(sequence: int, start: int, end: int, traits: ModelTraits, lengths: Lengths) -> None:
    _check_sequence(sequence, traits)
    length = lengths.length(sequence)
    _require(0 <= start < end <= length, f"sequence {sequence} holds {length} tokens, not [{start}, {end})")
    _require(traits.can_truncate or end - start == length, "this model's cache can only be taken as a whole")


def _check_sequence(sequence: int, traits: ModelTraits) -> None:
    _require(0 <= sequence < traits.max_sequences, f"sequence {sequence} is outside [0, {traits.max_sequences})")


def _require(is_kept: bool, broken_rule: str) -> None:
    if not is_kept:
        raise BackendError(f"a call broke the rules of the backend: {broken_rule}")

"""A batch: many requests in a file, answered when nobody else needs the machine."""

from typing import Literal, NewType

import msgspec

from .files import FileId
from .notify import Target

BatchId = NewType("BatchId", str)
BatchState = Literal[
    "validating", "in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled"
]
BATCH_ENDED: frozenset[BatchState] = frozenset({"completed", "failed", "expired", "cancelled"})
BatchEndpoint = Literal["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"]


class BatchFault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with the input: in which line, counted from 1, if it is in one."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class BatchCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests there are, and how many were answered and refused."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a batch. Times are seconds since 1970; a result keeps `output_keep_s`, None: for ever."""

    id: BatchId
    owner: str
    endpoint: BatchEndpoint
    input_file_id: FileId
    created_s: float
    expires_s: float
    completion_window: str
    state: BatchState = "validating"
    job_id: str | None = None
    metadata: dict[str, str] | None = None
    output_keep_s: float | None = None
    counts: BatchCounts = BatchCounts()
    faults: tuple[BatchFault, ...] = ()
    output_file_id: FileId | None = None
    error_file_id: FileId | None = None
    in_progress_s: float | None = None
    finalizing_s: float | None = None
    cancelling_s: float | None = None
    ended_s: float | None = None
    notify: tuple[Target, ...] = ()


class BatchOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of the job that works a batch off."""

    batch: BatchId
    caller: str
    endpoint: BatchEndpoint
    input_path: str
    output_folder: str
    expires_s: float


class BatchTuning(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon's settings say to such a job: how many requests at once, at which hours (None: any)."""

    max_at_once: int
    window: str | None


class BatchOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it. With `faults` nothing was asked."""

    counts: BatchCounts
    faults: tuple[BatchFault, ...] = ()
    is_expired: bool = False

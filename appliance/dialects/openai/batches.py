"""`/v1/batches` on the wire."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from appliance.core.batches import Batch, BatchEndpoint, BatchFault, BatchId, BatchState
from appliance.core.files import FileId
from appliance.core.notify import Delivery
from appliance.dialects.notify import NotificationWire, Notify, notifications_wire, targets_of

WINDOW_S = 86400.0
_Text = Annotated[str, Meta(max_length=512)]


class OutputExpiry(msgspec.Struct, frozen=True, kw_only=True):
    """How long result files are kept."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Meta(ge=3600, le=2592000)]


class BatchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /v1/batches`."""

    input_file_id: str
    endpoint: BatchEndpoint
    completion_window: Literal["24h"] = "24h"
    metadata: Annotated[dict[Annotated[str, Meta(max_length=64)], _Text], Meta(max_length=16)] | None = None
    output_expires_after: OutputExpiry | None = None
    notify: Notify = None


class FaultWire(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a line of the input."""

    code: str
    message: str
    line: int | None
    param: str | None


class FaultsWire(msgspec.Struct, frozen=True, kw_only=True):
    """All that is wrong with the input."""

    data: list[FaultWire]
    object: str = "list"


class CountsWire(msgspec.Struct, frozen=True, kw_only=True):
    """How far the batch is."""

    total: int
    completed: int
    failed: int


class BatchWire(msgspec.Struct, frozen=True, kw_only=True):
    """A batch. `notifications` is ours, and there where `notify` was in the request."""

    id: str
    endpoint: str
    input_file_id: str
    completion_window: str
    status: BatchState
    created_at: int
    expires_at: int
    request_counts: CountsWire
    errors: FaultsWire | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    in_progress_at: int | None = None
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    metadata: dict[str, str] | None = None
    notifications: list[NotificationWire] | msgspec.UnsetType = msgspec.UNSET
    object: str = "batch"


class BatchesWire(msgspec.Struct, frozen=True, kw_only=True):
    """A page of batches."""

    data: list[BatchWire]
    first_id: str | None
    last_id: str | None
    has_more: bool
    object: str = "list"


def batch_to_core(wire: BatchRequest, id: BatchId, owner: str, now_s: float) -> Batch:
    """Return the batch that is asked for."""
    return Batch(
        id=id,
        owner=owner,
        endpoint=wire.endpoint,
        input_file_id=FileId(wire.input_file_id),
        created_s=now_s,
        expires_s=now_s + WINDOW_S,
        completion_window=wire.completion_window,
        metadata=wire.metadata,
        output_keep_s=None if wire.output_expires_after is None else float(wire.output_expires_after.seconds),
        notify=targets_of(wire.notify),
    )


def batch_wire(batch: Batch, deliveries: Sequence[Delivery] = ()) -> BatchWire:
    """Return a batch as it is told, with what became of its notifications as far as that is known."""

    def ended_at(state: BatchState) -> int | None:
        return _whole(batch.ended_s) if batch.state == state else None

    counts = batch.counts
    return BatchWire(
        id=batch.id,
        endpoint=batch.endpoint,
        input_file_id=batch.input_file_id,
        completion_window=batch.completion_window,
        status=batch.state,
        created_at=int(batch.created_s),
        expires_at=int(batch.expires_s),
        request_counts=CountsWire(total=counts.total, completed=counts.completed, failed=counts.failed),
        errors=FaultsWire(data=[_fault(fault) for fault in batch.faults]) if batch.faults else None,
        output_file_id=batch.output_file_id,
        error_file_id=batch.error_file_id,
        in_progress_at=_whole(batch.in_progress_s),
        finalizing_at=_whole(batch.finalizing_s),
        completed_at=ended_at("completed"),
        failed_at=ended_at("failed"),
        expired_at=ended_at("expired"),
        cancelling_at=_whole(batch.cancelling_s),
        cancelled_at=ended_at("cancelled"),
        metadata=batch.metadata,
        notifications=notifications_wire(batch.notify, deliveries) if batch.notify else msgspec.UNSET,
    )


def batches_wire(batches: Sequence[Batch], limit: int) -> BatchesWire:
    """Return a page; `batches` has one more where there are more."""
    page = [batch_wire(batch) for batch in batches[:limit]]
    first, last = (page[0].id, page[-1].id) if page else (None, None)
    return BatchesWire(data=page, first_id=first, last_id=last, has_more=len(batches) > limit)


def _fault(fault: BatchFault) -> FaultWire:
    return FaultWire(code=fault.code, message=fault.message, line=fault.line, param=fault.param)


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)

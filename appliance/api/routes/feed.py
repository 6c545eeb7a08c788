"""`/admin/v1/events` and `/admin/v1/logs`: what happens, as it happens, and the newest lines of the log."""

from collections.abc import AsyncGenerator

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.types import ASGIApp

from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import json_response, needs_operate
from appliance.api.sse import StreamResponse, StreamTiming
from appliance.core.feed import FeedEvent, LogLevel, LogLines
from appliance.errors import InvalidRequest
from appliance.ops.feed import Feed

from .events import problem_event, written


@get("/admin/v1/events", guards=[needs_operate], sync_to_thread=False, operation=Operation(streams=FeedEvent))
def follow_events(
    request: HttpRequest,
    feed: NamedDependency[Feed],
    timing: NamedDependency[StreamTiming],
    last: FromQuery[int] = 0,
    types: FromQuery[str] = "",
) -> ASGIApp:
    """Answer with a stream of what happens, from `Last-Event-ID` on or with the `last` events first.

    `types` are first parts of types with commas between them, such as `model,job`; without any, all.
    """
    kinds = [kind.strip() for kind in types.split(",") if kind.strip()]
    events = feed.follow(_resumed_after(request), max(0, last), kinds)
    return StreamResponse(_written(events), problem_event, timing)


@get("/admin/v1/logs", guards=[needs_operate], sync_to_thread=False, operation=Operation(gives=LogLines))
def list_logs(
    feed: NamedDependency[Feed], level: FromQuery[LogLevel] = "info", last: FromQuery[int] = 200
) -> Response[bytes]:
    """Answer with the newest lines of the log, from `level` up."""
    return json_response(LogLines(lines=feed.lines(level, max(0, last))))


def _resumed_after(request: HttpRequest) -> int | None:
    seq = request.headers.get("last-event-id")
    if seq is None:
        return None
    if not seq.isdecimal() or len(seq) > 18:
        raise InvalidRequest(f"Last-Event-ID is {seq[:40]!r}; send the 'id' of the last event that came, or nothing")
    return int(seq)


async def _written(events: AsyncGenerator[FeedEvent, None]) -> AsyncGenerator[bytes, None]:
    try:
        async for event in events:
            yield b"id: %d\nevent: %b\n%b" % (event.seq, event.type.encode(), written(event))
    finally:
        await events.aclose()

"""What becomes of something, as Server-Sent Events of the daemon's own APIs."""

from collections.abc import AsyncIterator

import msgspec
from litestar.types import ASGIApp

from appliance.api.sse import StreamResponse, StreamTiming
from appliance.core.admin import Problem
from appliance.errors import ApplianceError


def event_stream(events: AsyncIterator[msgspec.Struct], timing: StreamTiming) -> ASGIApp:
    """Return the stream of these events, whose last says what went wrong if something did."""
    return StreamResponse((written(event) async for event in events), problem_event, timing)


def problem_event(error: ApplianceError) -> bytes:
    """Return the last event of what failed."""
    return written(Problem(message=error.message, code=error.code))


def written(event: msgspec.Struct) -> bytes:
    """Return an event without a name or number of its own."""
    return b"data: %b\n\n" % msgspec.json.encode(event)

"""A call from the moment it is understood until it is answered, in whichever dialect: started, gathered or streamed."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from litestar.types import ASGIApp

from appliance.core.events import RequestEvent
from appliance.core.request import EncodeRequest, GenerateRequest
from appliance.dialects.answer import Answer
from appliance.dialects.openai.errors import error_event
from appliance.dialects.rows import Rows
from appliance.errors import ApplianceError
from appliance.scheduler.queue_place import QueuePlace
from appliance.service.events import EventStream
from appliance.service.generate import Generation

from .access import refine
from .caching import cache_headers, is_known, not_modified, with_headers
from .errors import HttpRequest
from .queueing import queue_comment, queue_headers
from .respond import caller_of, json_reply
from .sse import SSE, StreamResponse, StreamTiming, unless_gone


class StreamWriter(Protocol):
    """Writes the events of a call as a dialect's stream."""

    def add(self, event: RequestEvent) -> bytes:
        """Return what to send for `event`, which may be nothing."""

    def end(self) -> bytes:
        """Return the end of a stream that succeeded."""


class Gatherer(Protocol):
    """Takes the events of a call until it is over."""

    def add(self, event: RequestEvent) -> None:
        """Take the next event."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a dialect's streams look around what they say: their type, a late error, and silence."""

    media_type: bytes
    error: Callable[[ApplianceError], bytes]
    silence: Callable[[QueuePlace | None], bytes]


OPENAI = Manner(media_type=SSE, error=error_event, silence=queue_comment)


async def reply(
    request: HttpRequest,
    cores: Sequence[GenerateRequest],
    generation: Generation,
    timing: StreamTiming,
    *,
    user: str | None,
    stream: StreamWriter | None,
    whole: Callable[[Answer], bytes],
    manner: Manner = OPENAI,
) -> ASGIApp:
    """Let the engine work and answer as the caller asked: by `stream` or, where that is None, by `whole`.

    `user` is a name that the caller gave one of its users.
    """
    asked = [with_headers(core, request.headers) for core in cores]
    answering = await generation.answer(asked, refine(caller_of(request), user))
    events, headers = answering.events, [*cache_headers(answering.mark), *queue_headers(answering.events.queue_place)]
    if is_known(answering.mark, request.headers):
        events.cancel()
        return not_modified(headers)
    if stream is not None:
        return StreamResponse(
            written(events, stream),
            manner.error,
            timing,
            headers=headers,
            media_type=manner.media_type,
            silence=lambda: manner.silence(events.queue_place),
        )
    answer = Answer(cores[0].num_choices, len(cores))
    await unless_gone(request.receive, gather(events, answer))
    return json_reply(whole(answer), headers)


async def rows_of(request: HttpRequest, core: EncodeRequest, generation: Generation, user: str | None) -> Rows:
    """Let the engine work and return what it computed; the work ends when the client goes away."""
    rows = Rows(len(core.inputs))
    events = generation.encode(core, refine(caller_of(request), user))
    await unless_gone(request.receive, gather(events, rows))
    return rows


async def written(events: EventStream, writer: StreamWriter) -> AsyncGenerator[bytes, None]:
    """Yield what is to be sent; closing the generator frees what the call holds."""
    try:
        async for event in events:
            if data := writer.add(event):
                yield data
        yield writer.end()
    finally:
        events.cancel()


async def gather(events: EventStream, gatherer: Gatherer) -> None:
    """Take all events of a call."""
    try:
        async for event in events:
            gatherer.add(event)
    finally:
        events.cancel()

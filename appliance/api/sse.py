"""Answers that take their time: a stream of events, or a body that waits for its model.

Both end the work the moment the client goes away.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from litestar.types import Receive, Scope, Send

from appliance.errors import ApplianceError

from .errors import ClientGone, unexpected

Headers = list[tuple[bytes, bytes]]
T = TypeVar("T")

SSE = b"text/event-stream; charset=utf-8"
NDJSON = b"application/x-ndjson"
_STREAM_HEADERS: Headers = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]

logger = logging.getLogger(__name__)


class StreamTiming(msgspec.Struct, frozen=True, kw_only=True):
    """How long a stream waits for its first event before it sends its headers, and how long it may be silent then."""

    headers_after_s: float = 2.0
    comment_every_s: float = 10.0


def comment(text: str = "keep-alive") -> bytes:
    """Return a line that readers of Server-Sent Events skip; `text` is a single line."""
    return b": %b\n\n" % text.encode()


class StreamResponse:
    """An ASGI application that sends what `chunks` yields, by default as Server-Sent Events.

    An ApplianceError before the headers are out is raised, so that it keeps its status; later it is sent as one last
    chunk, written by `render_error`. While nothing comes, `silence` says what keeps the connection open; no bytes where
    the format has nothing for it.
    """

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        render_error: Callable[[ApplianceError], bytes],
        timing: StreamTiming,
        *,
        headers: Headers | None = None,
        media_type: bytes = SSE,
        silence: Callable[[], bytes] = comment,
    ) -> None:
        self._chunks = chunks
        self._render_error = render_error
        self._timing = timing
        self._headers = [(b"content-type", media_type), *_STREAM_HEADERS, *(headers or [])]
        self._silence = silence
        self._is_started = False
        self._is_over = False
        self._num_sent = 0
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; return when it is over or the client is gone."""
        keep_alive = asyncio.create_task(self._keep_alive(send))
        try:
            await unless_gone(receive, self._send_all(send, scope["state"]["request_id"]))
        except ClientGone:
            return
        finally:
            keep_alive.cancel()

    async def _send_all(self, send: Send, request_id: str) -> None:
        try:
            async for chunk in self._chunks:
                await self._send(send, chunk)
            last = b""
        except ApplianceError as error:
            if not self._is_started:
                raise
            last = self._render_error(error)
        except Exception as error:
            if not self._is_started:
                raise
            last = self._render_error(unexpected(error, request_id))
        finally:
            await self._chunks.aclose()
        await self._send(send, last, more_body=False)

    async def _send(self, send: Send, data: bytes, *, more_body: bool = True) -> None:
        self._num_sent += 1
        async with self._turn:
            if self._is_over:
                return
            self._is_over = not more_body
            if not self._is_started:
                self._is_started = True
                await send({"type": "http.response.start", "status": 200, "headers": self._headers})
            await send({"type": "http.response.body", "body": data, "more_body": more_body})

    async def _keep_alive(self, send: Send) -> None:
        await asyncio.sleep(self._timing.headers_after_s)
        if not self._is_started:
            await self._send(send, self._silence())
        while True:
            num_sent = self._num_sent
            await asyncio.sleep(self._timing.comment_every_s)
            if num_sent == self._num_sent:
                await self._send(send, self._silence())


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns; cancel it and raise ClientGone when the client disconnects first."""
    working = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone
    finally:
        gone.cancel()
        working.cancel()
        # Whoever frees what the work held must have done so before the request counts as over
        with suppress(asyncio.CancelledError, Exception):
            await working


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

"""One HTTP connection: errors of what is not HTTP, the end of clients that only trickle, news of those that leave."""

import asyncio
from http import HTTPStatus
from typing import Any, cast

import uvicorn
from litestar.types import ASGIApp, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from appliance.dialects.openai.errors import envelope

from .errors import Envelope, envelope_of

READ_TIMEOUT_S = 30.0
MAX_HEAD_BYTES = 64 * 2**10
MIN_BODY_BYTES_PER_S = 1024
"""A body may take long on a slow line, but it must move: slower than a modem is a client that only holds the place."""


MAX_STALLED_READ_TIMEOUTS = 10
"""After so many read timeouts, a client that takes nothing of its answer is given up: it holds what nobody frees."""


class HttpConfig(uvicorn.Config):
    """uvicorn's configuration, and how long a client may take over its request."""

    def __init__(self, app: ASGIApp, read_timeout_s: float, **options: Any) -> None:
        super().__init__(app, http=HttpProtocol, **options)
        self.read_timeout_s = read_timeout_s


class HttpProtocol(HttpToolsProtocol):
    """One connection. While a request is incomplete, a timer looks whether it comes on.

    uvicorn waits for ever for the rest of a request. It also tells only the newest request of a connection that its
    client went away, so one with another pipelined behind it would run on.
    """

    config: HttpConfig
    _running: RequestResponseCycle | None = None
    _timer: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None
    _is_in_head = True
    _is_in_body = False
    _num_bytes = 0
    """Received of the headers, or of the body since the timer was set."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own is typed so
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._set_timer()

    def data_received(self, data: bytes) -> None:
        """Take more of a request, or its end."""
        self._num_bytes += len(data)
        super().data_received(data)
        if not (self._is_in_head or self._is_in_body):
            self._stop_timer()
        elif self._timer is None:
            self._set_timer(len(data))
        elif self._is_in_head and self._num_bytes > MAX_HEAD_BYTES:
            self._refuse(431, f"the request's headers are longer than {MAX_HEAD_BYTES} bytes", envelope)

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        self._is_in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Let the request run; what is left of it is its body, which has a time of its own."""
        self._is_in_head, self._is_in_body = False, True
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        self._is_in_body = False
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the running request, and forget those that wait behind it."""
        super().connection_lost(exc)
        self._stop_timer()
        self._end_stall()
        self.pipeline.clear()
        self._forsake()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(400, msg, envelope)

    # Clients that take their time

    def pause_writing(self) -> None:
        """Note that the client does not take what is sent: it has some minutes to go on."""
        super().pause_writing()
        patience_s = MAX_STALLED_READ_TIMEOUTS * self.config.read_timeout_s
        self._stall = self.loop.call_later(patience_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the client goes on."""
        super().resume_writing()
        self._end_stall()

    def _end_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _set_timer(self, num_bytes: int = 0) -> None:
        self._num_bytes = num_bytes
        self._timer = self.loop.call_later(self.config.read_timeout_s, self._look)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Cut the connection off, unless it is we who keep the client waiting or its body comes on."""
        self._timer = None
        if self.transport.is_closing():
            return
        is_answered = self._running is not None and not self._running.response_complete
        if self.flow.read_paused or (is_answered if self._is_in_head else self._comes_on):
            self._set_timer(self._num_bytes if self._is_in_head else 0)
        elif self._is_in_head and not self._num_bytes:
            self.transport.close()
        else:
            part = "headers" if self._is_in_head else "body"
            message = f"the request's {part} did not come within {self.config.read_timeout_s:g} s"
            self._refuse(408, message, envelope if self._is_in_head else envelope_of(cast(Scope, self.scope)))

    @property
    def _comes_on(self) -> bool:
        return self._num_bytes >= MIN_BODY_BYTES_PER_S * self.config.read_timeout_s

    def _refuse(self, status: int, message: str, write: Envelope) -> None:
        """Answer, unless that would be taken for the answer to another request, and close."""
        if self._may_answer:
            body = write(status, message)
            phrase = HTTPStatus(status).phrase.encode()
            head = b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\nconnection: close\r\n" % (status, phrase)
            self.transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
        self._forsake()
        self.transport.close()

    @property
    def _may_answer(self) -> bool:
        if self._running is None or self._running.response_complete:
            return self._running is None or not self._is_in_body
        return self._is_in_body and not self._running.response_started

    def _forsake(self) -> None:
        """Tell the running request that nobody reads its answer."""
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

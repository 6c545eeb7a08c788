"""One response while it is written: the task that reads the engine, and whoever follows what is sent."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from appliance.core.events import Delta
from appliance.dialects.responses.items import Item
from appliance.dialects.responses.response import Response
from appliance.dialects.responses.writer import ResponseWriter
from appliance.errors import ApplianceError, BackendError
from appliance.scheduler.queue_place import QueuePlace
from appliance.service.events import EventStream

PATIENCE_S = 2.0
"""So long an error keeps its HTTP status; then the stream begins, whatever becomes of it."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a response was begun with: whose it is, what came in, and what becomes of it."""

    owner: str
    inputs: Sequence[Item]
    is_stored: bool
    is_background: bool


class Run:
    """A response that is being written. The engine's events are read whether anybody follows or not.

    Events are shown from the first word on, or after a while; the last ones once the response is kept, so that whoever
    has seen its end can go on with it.
    """

    def __init__(
        self,
        terms: Terms,
        writer: ResponseWriter,
        events: EventStream,
        keep: Callable[["Run"], Awaitable[None]],
        now: Callable[[], float],
    ) -> None:
        self.terms = terms
        self.id = writer.response.id
        self._writer = writer
        self._events = events
        self._keep = keep
        self._now = now
        self._refusal: ApplianceError | None = None
        self._num_shown = 0
        self._is_over = False
        self._is_cancelled = False
        self._is_left = False
        self._cause: ApplianceError | None = None
        self._news = asyncio.Event()
        writer.open()
        self.task = asyncio.create_task(self._work())

    @property
    def response(self) -> Response:
        """The response as it is now."""
        return self._writer.response

    @property
    def frames(self) -> list[bytes]:
        """All events so far."""
        return self._writer.frames.sent

    @property
    def queue_place(self) -> QueuePlace | None:
        """Where the request stands in the queue now."""
        return self._events.queue_place

    def cancel(self, why: ApplianceError | None = None) -> None:
        """Give the response up; it is over soon. With `why` it has failed, without it was cancelled."""
        self._is_cancelled = True
        self._cause = why
        self._events.cancel()

    def leave(self, why: ApplianceError) -> None:
        """Stop soon, for another daemon to begin it again: nothing is kept, and `why` is all that followers hear."""
        self._is_left = True
        self._cause = why
        self._events.cancel()

    async def finished(self) -> Response:
        """Return the response once it is over. Raises: ApplianceError, for one that failed."""
        await asyncio.shield(self.task)
        if self._refusal is not None:
            raise self._refusal
        return self.response

    async def follow(self, after: int = -1) -> AsyncGenerator[bytes, None]:
        """Yield the events behind number `after`, those to come, too. Raises: the error of one that never began."""
        at = max(0, after + 1 - self._writer.frames.first_number)
        while True:
            news = self._news
            if at < self._num_shown:
                more, at = self.frames[at : self._num_shown], self._num_shown
                yield b"".join(more)
            elif not self._is_over:
                await news.wait()
            elif self._refusal is not None and (self._num_shown == 0 or self._is_left):
                raise self._refusal
            else:
                return

    async def _work(self) -> None:
        timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._show)
        try:
            await self._read(is_shown=self.terms.is_background)
        except ApplianceError as error:
            self._fail(error)
        except Exception as error:
            logger.exception("response %s failed unexpectedly", self.id)
            self._fail(BackendError(f"something unexpected happened ({type(error).__name__}); the log says more"))
        finally:
            timer.cancel()
            self._events.cancel()
        await self._close()

    async def _read(self, *, is_shown: bool) -> None:
        if is_shown:
            self._show()
        async for event in self._events:
            self._writer.add(event)
            if isinstance(event, Delta) or self._num_shown:
                self._show()
        if self._writer.is_answered:
            self._writer.end(self._now())
        elif self._is_cancelled and self._cause is None:
            self._writer.cancel()
        else:
            raise self._cause or BackendError("the answer broke off")

    def _fail(self, error: ApplianceError) -> None:
        self._refusal = error
        if not self._is_left:
            self._writer.fail(error)

    async def _close(self) -> None:
        if self._refusal is None or (self._num_shown and not self._is_left):
            try:
                await self._keep(self)
            except Exception:
                logger.exception("response %s could not be kept", self.id)
            self._num_shown = len(self.frames)
        self._is_over = True
        self._wake()

    def _show(self) -> None:
        """Let followers have all events so far."""
        self._num_shown = len(self.frames)
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

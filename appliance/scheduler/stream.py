"""What one caller sees of one request: its events as they arrive, its place in the queue, and the way to give it up."""

import asyncio
import contextlib
import weakref
from collections import deque
from collections.abc import Callable
from typing import Self

from appliance.core.events import RequestEvent
from appliance.core.request import RequestId
from appliance.errors import ApplianceError

from .queue_place import QueuePlace


class Inbox:
    """The events of a request that nobody has read yet. The daemon holds this one, the caller the stream."""

    __slots__ = ("_waiter", "error", "events", "is_closed")

    def __init__(self) -> None:
        self.events: deque[RequestEvent] = deque()
        self.error: ApplianceError | None = None
        self.is_closed = False
        self._waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Let the reader go on; called once after all events of a frame were put in."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def close(self) -> None:
        """Say that nothing more comes."""
        self.is_closed = True
        self.wake()

    async def changed(self) -> None:
        """Wait for the next `wake`."""
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter


class RequestStream:
    """The events of one request, in order. Ends after the last choice's `Finished`, or when it was cancelled.

    Waiting for the next event may be cancelled (by a timeout) and taken up again. Dropping the stream cancels the
    request, so that a caller who forgets cannot hold a place.
    """

    def __init__(
        self,
        request_id: RequestId,
        inbox: Inbox,
        cancel: Callable[[RequestId], None],
        queue_place: Callable[[RequestId], QueuePlace | None],
    ) -> None:
        self.request_id = request_id
        self._inbox = inbox
        self._cancel = cancel
        self._queue_place = queue_place
        loop = asyncio.get_running_loop()
        weakref.finalize(self, _cancel_soon, loop, inbox, cancel, request_id).atexit = False

    @property
    def queue_place(self) -> QueuePlace | None:
        """Return where the request stands in its model's queue now, None while it runs and when it is over."""
        return self._queue_place(self.request_id)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RequestEvent:
        """Return the next event. Raises: ApplianceError, once, when the request failed."""
        inbox = self._inbox
        while not inbox.events:
            if inbox.error is not None:
                error, inbox.error = inbox.error, None
                raise error
            if inbox.is_closed:
                raise StopAsyncIteration
            await inbox.changed()
        return inbox.events.popleft()

    def cancel(self) -> None:
        """Give the request up; its place is free at once. Does nothing when it is over."""
        self._cancel(self.request_id)

    async def aclose(self) -> None:
        """Cancel, under the name that generators use."""
        self.cancel()


def _cancel_soon(
    loop: asyncio.AbstractEventLoop, inbox: Inbox, cancel: Callable[[RequestId], None], request_id: RequestId
) -> None:
    # Runs wherever the garbage collector does, possibly on another thread or after the loop's end.
    if not inbox.is_closed:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(cancel, request_id)

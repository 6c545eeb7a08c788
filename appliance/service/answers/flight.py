"""One computation that any number of callers read from its beginning, while it is under way and after."""

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Sequence
from typing import Self

import msgspec

from appliance.core.events import RequestEvent
from appliance.core.request import RequestId
from appliance.errors import ApplianceError
from appliance.scheduler.queue_place import QueuePlace
from appliance.scheduler.stream import RequestStream


class Flight:
    """The events of a request so far. Whoever needs the next one first fetches it for all; there is no task between.

    `on_over` is called once, with the flight, and the events of a computation that came to its end or None for one that
    did not.
    """

    def __init__(
        self, stream: RequestStream, on_over: Callable[["Flight", Sequence[RequestEvent] | None], None]
    ) -> None:
        self._stream = stream
        self._on_over = on_over
        self._events: list[RequestEvent] = []
        self._error: ApplianceError | None = None
        self._is_over = False
        self._num_passengers = 0
        self._fetching = asyncio.Lock()

    @property
    def queue_place(self) -> QueuePlace | None:
        """Return where the computation stands in the queue."""
        return self._stream.queue_place

    def board(self, request_id: RequestId) -> "FlightStream":
        """Return the events from the first one on, under the id of the caller's own request."""
        self._num_passengers += 1
        return FlightStream(self, request_id)

    def leave(self) -> None:
        """Count one reader less; the last one takes the computation along."""
        self._num_passengers -= 1
        if self._num_passengers == 0 and not self._is_over:
            self._stream.cancel()
            self._end(None)

    async def event(self, index: int) -> RequestEvent | None:
        """Return the event of that number, None past the last one. Raises: ApplianceError, when it failed."""
        while index >= len(self._events):
            if self._error is not None:
                raise self._error
            if self._is_over:
                return None
            async with self._fetching:
                if index >= len(self._events) and not self._is_over:
                    await self._fetch()
        return self._events[index]

    async def _fetch(self) -> None:
        try:
            self._events.append(await anext(self._stream))
        except StopAsyncIteration:
            self._end(self._events)
        except ApplianceError as error:
            self._error = error
            self._end(None)

    def _end(self, events: Sequence[RequestEvent] | None) -> None:
        self._is_over = True
        self._on_over(self, events)


class _Seat:
    """The right to read a flight, given back once."""

    def __init__(self, flight: Flight) -> None:
        self._flight = flight
        self.is_taken = True

    def give_back(self) -> None:
        if self.is_taken:
            self.is_taken = False
            self._flight.leave()


class FlightStream:
    """What one caller reads of a flight. Giving it up, also by dropping it, leaves the flight to the others."""

    def __init__(self, flight: Flight, request_id: RequestId) -> None:
        self._flight = flight
        self._request_id = request_id
        self._index = 0
        self._seat = _Seat(flight)
        loop = asyncio.get_running_loop()
        weakref.finalize(self, _give_back_soon, loop, self._seat).atexit = False

    @property
    def queue_place(self) -> QueuePlace | None:
        """Return where the call stands in the queue now, None when it does not wait."""
        return self._flight.queue_place if self._seat.is_taken else None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RequestEvent:
        """Return the next event. Raises: ApplianceError, when the computation failed."""
        event = await self._flight.event(self._index) if self._seat.is_taken else None
        if event is None:
            self.cancel()
            raise StopAsyncIteration
        self._index += 1
        return event if event.id == self._request_id else msgspec.structs.replace(event, id=self._request_id)

    def cancel(self) -> None:
        """Read no further."""
        self._seat.give_back()


def _give_back_soon(loop: asyncio.AbstractEventLoop, seat: _Seat) -> None:
    # Runs wherever the garbage collector does, possibly on another thread or after the loop's end.
    if seat.is_taken:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(seat.give_back)

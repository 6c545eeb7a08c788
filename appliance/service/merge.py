"""Several requests read as one: a completion call with many prompts is a request to the engine for each of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec

from appliance.core.events import Delta, Finished, RequestEvent
from appliance.scheduler.queue_place import QueuePlace

from .events import EventStream


class MergedStream:
    """Yields the events of `streams` as they come; choice `c` of stream `p` becomes choice `p * n + c`.

    The first error ends it and cancels the rest. It is read once, by one task.
    """

    def __init__(self, streams: Sequence[EventStream], n: int) -> None:
        self._streams = streams
        self._n = n

    async def __aiter__(self) -> AsyncIterator[RequestEvent]:
        events: asyncio.Queue[RequestEvent | None] = asyncio.Queue()
        readers = [
            asyncio.create_task(_read(stream, index * self._n, events)) for index, stream in enumerate(self._streams)
        ]
        try:
            num_open = len(readers)
            while num_open:
                event = await events.get()
                if event is not None:
                    yield event
                    continue
                num_open -= 1
                for reader in readers:
                    if reader.done():
                        reader.result()
        finally:
            self.cancel()
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)

    @property
    def queue_place(self) -> QueuePlace | None:
        """Return the place of the last of the requests that wait, None when all have begun."""
        places = [place for stream in self._streams if (place := stream.queue_place)]
        return max(places, key=lambda place: place.position, default=None)

    def cancel(self) -> None:
        """Cancel every stream."""
        for stream in self._streams:
            stream.cancel()


async def _read(stream: EventStream, first_choice: int, events: "asyncio.Queue[RequestEvent | None]") -> None:
    try:
        async for event in stream:
            if isinstance(event, Delta | Finished):
                event = msgspec.structs.replace(event, choice=first_choice + event.choice)
            events.put_nowait(event)
    finally:
        events.put_nowait(None)

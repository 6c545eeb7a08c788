"""A conversation that is too long for its model, asked again without its oldest turns."""

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from appliance.core.caller import Caller
from appliance.core.events import RequestEvent
from appliance.core.request import ChatPrompt, GenerateRequest, RequestId
from appliance.dialects.responses.truncation import num_to_leave_out, num_turns, without_oldest
from appliance.errors import ContextLengthExceeded
from appliance.scheduler.queue_place import QueuePlace
from appliance.service.events import EventStream
from appliance.service.generate import Generation

Fits = Callable[[GenerateRequest], Awaitable[bool]]
"""Whether a request leaves room for an answer."""


class ShorteningStream:
    """The events of a request, or of what is left of it where it does not fit. It is read once, by one task."""

    def __init__(
        self, first: EventStream, generation: Generation, request: GenerateRequest, caller: Caller, fits: Fits
    ) -> None:
        """`first` are the events of the request as it is."""
        self._generation = generation
        self._request = request
        self._caller = caller
        self._fits = fits
        self._is_cancelled = False
        self._stream = first

    async def __aiter__(self) -> AsyncIterator[RequestEvent]:
        try:
            async for event in self._stream:
                yield event
            return
        except ContextLengthExceeded as error:
            shorter = await shortened(self._request, self._fits)
            if shorter is None:
                raise error
        if not self._is_cancelled:
            self._stream = (await self._generation.answer([shorter], self._caller)).events
            async for event in self._stream:
                yield event

    @property
    def queue_place(self) -> QueuePlace | None:
        """Return where the request stands now."""
        return self._stream.queue_place

    def cancel(self) -> None:
        """Free what it holds, and try no further."""
        self._is_cancelled = True
        self._stream.cancel()


async def shortened(request: GenerateRequest, fits: Fits) -> GenerateRequest | None:
    """Return the request without its oldest turns, None where its last turn alone does not fit."""
    prompt = request.prompt
    assert isinstance(prompt, ChatPrompt), "a conversation"
    turns = num_turns(prompt)
    too_few, enough = 0, turns - 1
    if turns < 2 or not await fits(_without(request, prompt, enough)):
        return None
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if await fits(_without(request, prompt, middle)):
            enough = middle
        else:
            too_few = middle
    return _without(request, prompt, num_to_leave_out(turns, turns - enough))


def _without(request: GenerateRequest, prompt: ChatPrompt, num_left_out: int) -> GenerateRequest:
    return msgspec.structs.replace(
        request, id=RequestId(f"{request.id}-shorter"), prompt=without_oldest(prompt, num_left_out)
    )

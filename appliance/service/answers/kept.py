"""An answer as it is kept: the events of its computation with what they cost, as bytes, and read again as a stream."""

from collections.abc import AsyncIterator, Sequence

import msgspec

from appliance.core.events import Accepted, Delta, Finished, PromptEcho, RequestEvent
from appliance.core.request import RequestId

VERSION = 1


class KeptAnswer(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The events of one request, in order, when it was computed (Unix time), and the time that this took."""

    version: int
    stored_s: float
    duration_s: float
    completion_tokens: int
    events: tuple[Accepted | PromptEcho | Delta | Finished, ...]


_DECODER = msgspec.msgpack.Decoder(KeptAnswer)
_ENCODER = msgspec.msgpack.Encoder()


def encode(answer: KeptAnswer) -> bytes:
    """Return an answer as bytes."""
    return _ENCODER.encode(answer)


def decode(content: bytes) -> KeptAnswer | None:
    """Return the answer, None where another version of the appliance wrote it."""
    try:
        answer = _DECODER.decode(content)
    except msgspec.MsgspecError:
        return None
    return answer if answer.version == VERSION else None


def to_keep(events: Sequence[RequestEvent], now_s: float) -> KeptAnswer | None:
    """Return what is kept of a computation that came to its end; None for one that ended otherwise."""
    kept = [event for event in events if isinstance(event, Accepted | PromptEcho | Delta | Finished)]
    ends = [event for event in kept if isinstance(event, Finished)]
    if not ends or len(kept) != len(events):
        return None
    times = [end.timings.prefill_s + end.timings.decode_s for end in ends]
    return KeptAnswer(
        version=VERSION,
        stored_s=now_s,
        duration_s=max(times),
        completion_tokens=sum(end.usage.completion_tokens for end in ends),
        events=tuple(kept),
    )


class KeptStream:
    """The events of a kept answer with their original boundaries, under the id of the request that asks now.

    The usage says that the whole prompt came from the cache. Nothing waits, and there is nothing to cancel.
    """

    queue_place = None

    def __init__(self, answer: KeptAnswer, request_id: RequestId) -> None:
        self._answer = answer
        self._request_id = request_id

    async def __aiter__(self) -> AsyncIterator[RequestEvent]:
        for event in self._answer.events:
            yield _as_cached(event, self._request_id)

    def cancel(self) -> None:
        """Do nothing."""


def _as_cached(event: RequestEvent, request_id: RequestId) -> RequestEvent:
    if isinstance(event, Accepted):
        return msgspec.structs.replace(event, id=request_id, cached_tokens=event.num_prompt_tokens)
    if isinstance(event, Finished):
        usage = msgspec.structs.replace(event.usage, cached_tokens=event.usage.prompt_tokens)
        return msgspec.structs.replace(event, id=request_id, usage=usage)
    return msgspec.structs.replace(event, id=request_id)

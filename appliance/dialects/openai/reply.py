"""What chat and completions share on the way out: writing events as a stream."""

from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from appliance.core.events import Accepted, Delta, Finished, RequestEvent, TokenLogprob, Usage
from appliance.dialects.answer import Tally

from .usage import TimingsWire, UsageWire, timings_wire, usage_wire

DONE = b"data: [DONE]\n\n"
PLACEHOLDER = "\0"
encode = msgspec.json.Encoder().encode

Timing = TimingsWire | UnsetType


class ChunkWriter(Protocol):
    """How one endpoint writes its chunks, each as the JSON of one event."""

    def opening(self, choice: int) -> bytes | None:
        """Return the chunk that comes before the first one of a choice, None when there is none."""

    def text(self, choice: int, text: str, logprobs: tuple[TokenLogprob, ...], timings: Timing) -> bytes:
        """Return a chunk with more text."""

    def last(self, finished: Finished, timings: Timing) -> bytes:
        """Return the chunk that ends a choice."""

    def usage(self, usage: UsageWire) -> bytes:
        """Return the chunk without choices that counts the tokens."""


class ReplyStream:
    """Writes the events of a call as Server-Sent Events.

    A token costs one escape of its text: what stands around it is written once for each choice.
    """

    def __init__(self, writer: ChunkWriter, n: int, *, includes_usage: bool) -> None:
        self._writer = writer
        self._tally = Tally(n)
        self._includes_usage = includes_usage
        self._frames: dict[int, tuple[bytes, bytes]] = {}
        self._num_generated: dict[int, int] = {}
        self._prompt = Usage(prompt_tokens=0, cached_tokens=0, completion_tokens=0)

    def add(self, event: RequestEvent) -> bytes:
        """Return what to send for `event`; nothing while no text is decided."""
        if isinstance(event, Delta):
            return self._delta(event)
        if isinstance(event, Finished):
            self._tally.add(event)
            last = self._writer.last(event, timings_wire(event.usage, event.timings))
            return self._opening(event.choice) + sse(last)
        if isinstance(event, Accepted):
            self._prompt = Usage(
                prompt_tokens=event.num_prompt_tokens, cached_tokens=event.cached_tokens, completion_tokens=0
            )
        return b""

    def end(self) -> bytes:
        """Return the end of a stream that succeeded."""
        return sse(self._writer.usage(usage_wire(self._tally.usage))) + DONE if self._includes_usage else DONE

    def _delta(self, event: Delta) -> bytes:
        opening = self._opening(event.choice)
        if event.logprobs or event.timings is not None:
            return opening + self._detailed(event)
        if not event.text:
            return opening
        before, after = self._frames[event.choice]
        return b"".join((opening, before, encode(event.text), after))

    def _detailed(self, event: Delta) -> bytes:
        timings: Timing = UNSET
        if event.timings is not None:
            generated = self._num_generated.get(event.choice, 0) + event.num_tokens
            self._num_generated[event.choice] = generated
            timings = timings_wire(msgspec.structs.replace(self._prompt, completion_tokens=generated), event.timings)
        return sse(self._writer.text(event.choice, event.text, event.logprobs, timings))

    def _opening(self, choice: int) -> bytes:
        if choice in self._frames:
            return b""
        before, _, after = sse(self._writer.text(choice, PLACEHOLDER, (), UNSET)).partition(encode(PLACEHOLDER))
        self._frames[choice] = before, after
        opening = self._writer.opening(choice)
        return b"" if opening is None else sse(opening)


def sse(chunk: bytes) -> bytes:
    """Return `chunk` as one event."""
    return b"data: %b\n\n" % chunk

"""What chat and completions share on the way out: writing events as a stream."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from appliance import __version__
from appliance.core.events import (
    Accepted,
    Delta,
    Finished,
    PromptEcho,
    RequestEvent,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from appliance.core.request import RequestId
from appliance.dialects.answer import Tally

from .usage import TimingsWire, UsageWire, timings_wire, usage_wire

DONE = b"data: [DONE]\n\n"
PLACEHOLDER = "\0what is said\0"
SYSTEM_FINGERPRINT = f"appliance-{__version__}"
encode = msgspec.json.Encoder().encode

Timing = TimingsWire | UnsetType
_NO_PROMPT = Usage(prompt_tokens=0, cached_tokens=0, completion_tokens=0)


class ChunkWriter(Protocol):
    """How one endpoint writes its chunks, each as the JSON of one event."""

    def opening(self, choice: int) -> Sequence[bytes]:
        """Return the chunks that come before the first one of a choice."""

    def said(
        self, choice: int, text: str, reasoning: str, logprobs: Sequence[TokenLogprob | None], timings: Timing
    ) -> bytes:
        """Return a chunk with more text or more thinking; where that is not shown, the chunk has none."""

    def call(self, choice: int, call: ToolCallDelta) -> Sequence[bytes]:
        """Return the chunks of what came of a tool call."""

    def last(self, finished: Finished, timings: Timing) -> bytes:
        """Return the chunk that ends a choice."""

    def usage(self, usage: UsageWire) -> bytes:
        """Return the chunk without choices that counts the tokens."""


class _Frames:
    """What stands before, between and after the text of a choice's chunk; and the same for its thinking."""

    __slots__ = ("reasoning", "text")

    def __init__(self, writer: ChunkWriter, choice: int) -> None:
        self.text = _around(writer.said(choice, PLACEHOLDER, "", (), UNSET))
        self.reasoning = _around(writer.said(choice, "", PLACEHOLDER, (), UNSET))


class ReplyStream:
    """Writes the events of a call as Server-Sent Events. Its requests are `ids`, each of `n` choices.

    A token costs one escape of its text: what stands around it is written once for each choice.
    """

    def __init__(self, writer: ChunkWriter, n: int, *, includes_usage: bool, ids: Sequence[RequestId] = ()) -> None:
        self._writer = writer
        self._n = n
        self._tally = Tally(n)
        self._includes_usage = includes_usage
        self._first_choices = {id: number * n for number, id in enumerate(ids)}
        self._frames: dict[int, _Frames] = {}
        self._num_generated: dict[int, int] = {}
        self._prompts: dict[RequestId, Usage] = {}

    def add(self, event: RequestEvent) -> bytes:
        """Return what to send for `event`; nothing while no text is decided."""
        if isinstance(event, Delta):
            return self._delta(event)
        if isinstance(event, Finished):
            self._tally.add(event)
            last = self._writer.last(event, timings_wire(event.usage, event.timings))
            return self._opening(event.choice) + sse(last)
        if isinstance(event, Accepted):
            self._prompts[event.id] = Usage(
                prompt_tokens=event.num_prompt_tokens, cached_tokens=event.cached_tokens, completion_tokens=0
            )
        if isinstance(event, PromptEcho):
            return self._echo(event)
        return b""

    def end(self) -> bytes:
        """Return the end of a stream that succeeded."""
        return sse(self._writer.usage(usage_wire(self._tally.usage))) + DONE if self._includes_usage else DONE

    def _delta(self, event: Delta) -> bytes:
        opening = self._opening(event.choice)
        is_one_thing = not event.tool_calls and not (event.text and event.reasoning)
        if event.logprobs or event.timings is not None or not is_one_thing:
            return opening + self._detailed(event)
        frames = self._frames[event.choice]
        if event.text:
            return opening + encode(event.text).join(frames.text)
        if event.reasoning and frames.reasoning:
            return opening + encode(event.reasoning).join(frames.reasoning)
        return opening

    def _detailed(self, event: Delta) -> bytes:
        timings: Timing = UNSET
        if event.timings is not None:
            generated = self._num_generated.get(event.choice, 0) + event.num_tokens
            self._num_generated[event.choice] = generated
            prompt = self._prompts.get(event.id, _NO_PROMPT)
            timings = timings_wire(msgspec.structs.replace(prompt, completion_tokens=generated), event.timings)
        chunks = [chunk for call in event.tool_calls for chunk in self._writer.call(event.choice, call)]
        if event.text or event.reasoning or event.logprobs or event.timings is not None:
            said = self._writer.said(event.choice, event.text, event.reasoning, event.logprobs, timings)
            chunks.insert(0, said)
        return b"".join(map(sse, chunks))

    def _echo(self, event: PromptEcho) -> bytes:
        first = self._first_choices[event.id]
        choices = range(first, first + self._n)
        return b"".join(sse(self._writer.said(choice, event.text, "", event.logprobs, UNSET)) for choice in choices)

    def _opening(self, choice: int) -> bytes:
        if choice in self._frames:
            return b""
        self._frames[choice] = _Frames(self._writer, choice)
        return b"".join(map(sse, self._writer.opening(choice)))


def sse(chunk: bytes) -> bytes:
    """Return `chunk` as one event."""
    return b"data: %b\n\n" % chunk


def present(text: str) -> str | UnsetType:
    """Return a field that is left out where there is nothing to say."""
    return text or UNSET


def _around(chunk: bytes) -> list[bytes]:
    """Return what stands around the placeholder's escapes; nothing where it is not shown."""
    parts = sse(chunk).split(encode(PLACEHOLDER))
    return parts if len(parts) > 1 else []

"""`POST /v1/chat/completions`, outwards: the shapes of one whole answer and of a chunk."""

import msgspec
from msgspec import UNSET, UnsetType

from appliance.core.events import Finished, TokenLogprob
from appliance.core.request import RequestId
from appliance.dialects.answer import Answer

from .logprobs import ChatLogprobs, chat_logprobs
from .reply import Timing, encode
from .usage import UsageWire, timings_wire, usage_wire


class AnswerMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The assistant's turn, with every field that clients look for."""

    role: str = "assistant"
    content: str
    refusal: None = None
    annotations: tuple[()] = ()
    audio: None = None
    function_call: None = None
    tool_calls: None = None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One of the `n` answers."""

    index: int
    message: AnswerMessage
    logprobs: ChatLogprobs | None
    finish_reason: str


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a response without `stream`."""

    id: str
    object: str = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: UsageWire
    metadata: None = None
    service_tier: None = None
    system_fingerprint: None = None
    moderation: None = None
    timings: Timing = UNSET


class ChunkDelta(msgspec.Struct, frozen=True, kw_only=True):
    """What a chunk adds to a choice."""

    role: str | UnsetType = UNSET
    content: str | UnsetType = UNSET
    refusal: UnsetType | None = UNSET


class ChunkChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The choice that a chunk adds to."""

    index: int
    delta: ChunkDelta
    logprobs: ChatLogprobs | None = None
    finish_reason: str | None = None


class ChatChunk(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a stream. `usage` is null in every chunk but the last when the caller asked to have it."""

    id: str
    object: str = "chat.completion.chunk"
    created: int
    model: str
    choices: tuple[ChunkChoice, ...]
    usage: UsageWire | UnsetType | None
    service_tier: None = None
    system_fingerprint: None = None
    moderation: None = None
    timings: Timing = UNSET


def chat_completion(answer: Answer, id: RequestId, model: str, created_s: int) -> bytes:
    """Return the body of the response to a chat request."""
    choices = [
        Choice(
            index=index,
            message=AnswerMessage(content=choice.text),
            logprobs=chat_logprobs(choice.logprobs) if choice.logprobs else None,
            finish_reason=choice.reason,
        )
        for index, choice in enumerate(answer.choices)
    ]
    return encode(
        ChatCompletion(
            id=f"chatcmpl-{id}",
            created=created_s,
            model=model,
            choices=choices,
            usage=usage_wire(answer.usage),
            timings=timings_wire(answer.first.usage, answer.first.timings),
        )
    )


class ChatChunks:
    """Writes the chunks of a chat stream."""

    def __init__(self, id: RequestId, model: str, created_s: int, *, includes_usage: bool) -> None:
        self._id, self._model, self._created_s = f"chatcmpl-{id}", model, created_s
        self._no_usage: UnsetType | None = None if includes_usage else UNSET

    def opening(self, choice: int) -> bytes | None:
        """Return the chunk that says who speaks."""
        return self._chunk(choice, ChunkDelta(role="assistant", content="", refusal=None))

    def text(self, choice: int, text: str, logprobs: tuple[TokenLogprob, ...], timings: Timing) -> bytes:
        """Return a chunk with more text."""
        wire = chat_logprobs(logprobs) if logprobs else None
        return self._chunk(choice, ChunkDelta(content=text), logprobs=wire, timings=timings)

    def last(self, finished: Finished, timings: Timing) -> bytes:
        """Return the chunk that ends a choice."""
        return self._chunk(finished.choice, ChunkDelta(), finish_reason=finished.reason, timings=timings)

    def usage(self, usage: UsageWire) -> bytes:
        """Return the chunk without choices that counts the tokens."""
        return self._encode((), usage, UNSET)

    def _chunk(
        self,
        index: int,
        delta: ChunkDelta,
        *,
        logprobs: ChatLogprobs | None = None,
        finish_reason: str | None = None,
        timings: Timing = UNSET,
    ) -> bytes:
        choice = ChunkChoice(index=index, delta=delta, logprobs=logprobs, finish_reason=finish_reason)
        return self._encode((choice,), self._no_usage, timings)

    def _encode(self, choices: tuple[ChunkChoice, ...], usage: UsageWire | UnsetType | None, timings: Timing) -> bytes:
        return encode(
            ChatChunk(
                id=self._id, created=self._created_s, model=self._model, choices=choices, usage=usage, timings=timings
            )
        )

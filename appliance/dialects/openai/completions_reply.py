"""`POST /v1/completions`, outwards: one shape for whole answers and for chunks."""

import msgspec
from msgspec import UNSET, UnsetType

from appliance.core.events import Finished, TokenLogprob
from appliance.core.request import RequestId
from appliance.dialects.answer import Answer

from .logprobs import CompletionLogprobs, completion_logprobs
from .reply import Timing, encode
from .usage import UsageWire, timings_wire, usage_wire


class CompletionChoice(msgspec.Struct, frozen=True, kw_only=True):
    """One continuation of one prompt; `index` is the prompt's number times `n`, plus the choice's."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None = None
    finish_reason: str | None = None


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a response, and each chunk of a stream."""

    id: str
    object: str = "text_completion"
    created: int
    model: str
    choices: tuple[CompletionChoice, ...]
    usage: UsageWire | UnsetType | None
    system_fingerprint: None = None
    timings: Timing = UNSET


def completion(answer: Answer, id: RequestId, model: str, created_s: int) -> bytes:
    """Return the body of the response to a completion request."""
    choices = tuple(
        CompletionChoice(
            index=index,
            text=choice.text,
            logprobs=completion_logprobs(choice.logprobs, 0) if choice.logprobs else None,
            finish_reason=choice.reason,
        )
        for index, choice in enumerate(answer.choices)
    )
    return encode(
        Completion(
            id=f"cmpl-{id}",
            created=created_s,
            model=model,
            choices=choices,
            usage=usage_wire(answer.usage),
            timings=timings_wire(answer.first.usage, answer.first.timings),
        )
    )


class CompletionChunks:
    """Writes the chunks of a completion stream."""

    def __init__(self, id: RequestId, model: str, created_s: int, *, includes_usage: bool) -> None:
        self._id, self._model, self._created_s = f"cmpl-{id}", model, created_s
        self._no_usage: UnsetType | None = None if includes_usage else UNSET
        self._offsets: dict[int, int] = {}

    def opening(self, choice: int) -> bytes | None:
        """Return None: the first chunk is one like the others."""
        return None

    def text(self, choice: int, text: str, logprobs: tuple[TokenLogprob, ...], timings: Timing) -> bytes:
        """Return a chunk with more text."""
        wire = None
        if logprobs:
            offset = self._offsets.get(choice, 0)
            wire = completion_logprobs(logprobs, offset)
            self._offsets[choice] = offset + sum(len(token.text) for token in logprobs)
        return self._encode((CompletionChoice(index=choice, text=text, logprobs=wire),), self._no_usage, timings)

    def last(self, finished: Finished, timings: Timing) -> bytes:
        """Return the chunk that ends a choice."""
        choice = CompletionChoice(index=finished.choice, text="", finish_reason=finished.reason)
        return self._encode((choice,), self._no_usage, timings)

    def usage(self, usage: UsageWire) -> bytes:
        """Return the chunk without choices that counts the tokens."""
        return self._encode((), usage, UNSET)

    def _encode(
        self, choices: tuple[CompletionChoice, ...], usage: UsageWire | UnsetType | None, timings: Timing
    ) -> bytes:
        return encode(
            Completion(
                id=self._id, created=self._created_s, model=self._model, choices=choices, usage=usage, timings=timings
            )
        )

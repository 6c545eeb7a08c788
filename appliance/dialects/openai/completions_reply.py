"""`POST /v1/completions`, outwards: one shape for whole answers and for chunks."""

import math
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from appliance.core.events import Finished, PromptEcho, TokenLogprob, ToolCallDelta
from appliance.core.request import RequestId
from appliance.dialects.answer import Answer, Choice

from .logprobs import CompletionLogprobs, completion_logprobs
from .reply import SYSTEM_FINGERPRINT, Timing, encode
from .usage import UsageWire, timings_wire, usage_wire


class CompletionShape(msgspec.Struct, frozen=True, kw_only=True):
    """What of an answer's form depends on the request: the best `n` of each prompt's candidates are answered."""

    ids: tuple[RequestId, ...]
    n: int = 1
    num_candidates: int = 1
    shows_logprobs: bool = True


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
    system_fingerprint: str = SYSTEM_FINGERPRINT
    timings: Timing = UNSET


def completion(answer: Answer, id: RequestId, model: str, created_s: int, shape: CompletionShape) -> bytes:
    """Return the body of the response to a completion request."""
    echoes = {echo.id: echo for echo in answer.echoes}
    choices: list[CompletionChoice] = []
    for number, request_id in enumerate(shape.ids):
        first = number * shape.num_candidates
        best = _best(answer.choices[first : first + shape.num_candidates], shape.n)
        echo = echoes.get(request_id)
        choices += [_choice(len(choices) + rank, choice, echo, shape) for rank, choice in enumerate(best)]
    return encode(
        Completion(
            id=f"cmpl-{id}",
            created=created_s,
            model=model,
            choices=tuple(choices),
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

    def opening(self, choice: int) -> Sequence[bytes]:
        """Return nothing: the first chunk is one like the others."""
        return ()

    def said(
        self, choice: int, text: str, reasoning: str, logprobs: Sequence[TokenLogprob | None], timings: Timing
    ) -> bytes:
        """Return a chunk with more text; a plain prompt is continued, and its continuation is all text."""
        wire = None
        if logprobs:
            wire, self._offsets[choice] = completion_logprobs(logprobs, self._offsets.get(choice, 0), text)
        return self._encode((CompletionChoice(index=choice, text=text, logprobs=wire),), self._no_usage, timings)

    def call(self, choice: int, call: ToolCallDelta) -> Sequence[bytes]:
        """Return nothing: there are no tools here."""
        return ()

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


def _best(candidates: Sequence[Choice], n: int) -> Sequence[Choice]:
    """Return those with the highest log-probability per token, the best first."""
    if n == len(candidates):
        return candidates
    return sorted(candidates, key=_mean_logprob, reverse=True)[:n]


def _mean_logprob(choice: Choice) -> float:
    finished = choice.finished
    if finished is None or finished.sum_logprob is None:
        return -math.inf
    return finished.sum_logprob / max(1, finished.usage.completion_tokens)


def _choice(index: int, choice: Choice, echo: PromptEcho | None, shape: CompletionShape) -> CompletionChoice:
    return CompletionChoice(
        index=index,
        text=(echo.text if echo else "") + choice.text,
        logprobs=_logprobs(choice, echo) if shape.shows_logprobs else None,
        finish_reason=choice.reason,
    )


def _logprobs(choice: Choice, echo: PromptEcho | None) -> CompletionLogprobs | None:
    """Return those of the prompt, where it is echoed, and then those of the answer."""
    of_prompt, end = completion_logprobs(echo.logprobs, 0, echo.text) if echo else completion_logprobs((), 0)
    of_answer, _ = completion_logprobs(choice.logprobs, end)
    if not of_prompt.tokens and not of_answer.tokens:
        return None
    return CompletionLogprobs(
        tokens=of_prompt.tokens + of_answer.tokens,
        token_logprobs=of_prompt.token_logprobs + of_answer.token_logprobs,
        top_logprobs=of_prompt.top_logprobs + of_answer.top_logprobs,
        text_offset=of_prompt.text_offset + of_answer.text_offset,
    )

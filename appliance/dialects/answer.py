"""What became of a call, gathered from its events for whichever dialect writes it; and what it cost."""

from dataclasses import dataclass, field

from appliance.core.events import (
    Delta,
    Finished,
    FinishReason,
    PromptEcho,
    RequestEvent,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from appliance.core.request import ToolCall


@dataclass(slots=True)
class CallParts:
    """A tool call as it arrives."""

    id: str
    name: str
    arguments: list[str] = field(default_factory=list)


class Choice:
    """One choice of a call."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[CallParts] = []
        self.logprobs: list[TokenLogprob] = []
        self.finished: Finished | None = None

    def add(self, delta: Delta) -> None:
        """Take what came."""
        self._texts.append(delta.text)
        self._reasoning.append(delta.reasoning)
        self.logprobs += delta.logprobs
        for call in delta.tool_calls:
            self._add_call(call)

    @property
    def text(self) -> str:
        """What it says."""
        return "".join(self._texts)

    @property
    def reasoning(self) -> str:
        """What it thought before."""
        return "".join(self._reasoning)

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The calls it makes, in order."""
        return [ToolCall(id=call.id, name=call.name, arguments="".join(call.arguments)) for call in self._calls]

    @property
    def reason(self) -> FinishReason:
        """Why it ended."""
        assert self.finished is not None, "an answer is written once all of its choices have ended"
        return self.finished.reason

    def _add_call(self, call: ToolCallDelta) -> None:
        if call.index == len(self._calls):
            self._calls.append(CallParts(call.id or "", call.name or ""))
        self._calls[call.index].arguments.append(call.arguments)


class Answer:
    """Gathers the events of a call with `num_prompts` times `n` choices."""

    def __init__(self, n: int, num_prompts: int = 1) -> None:
        self.choices = [Choice() for _ in range(n * num_prompts)]
        self.echoes: list[PromptEcho] = []
        self._tally = Tally(n)

    def add(self, event: RequestEvent) -> None:
        """Take the next event."""
        if isinstance(event, Delta):
            self.choices[event.choice].add(event)
        elif isinstance(event, Finished):
            self.choices[event.choice].finished = event
            self._tally.add(event)
        elif isinstance(event, PromptEcho):
            self.echoes.append(event)

    @property
    def usage(self) -> Usage:
        """What the call cost."""
        return self._tally.usage

    @property
    def first(self) -> Finished:
        """The end of the first choice, which is the one that computed the prompt."""
        finished = self.choices[0].finished
        assert finished is not None, "an answer is written once all of its choices have ended"
        return finished


class Tally:
    """Adds up the usage of a call's choices; choices `[p * n, (p + 1) * n)` belong to prompt `p`."""

    def __init__(self, n: int) -> None:
        self._n = n
        self.usage = Usage(prompt_tokens=0, cached_tokens=0, completion_tokens=0)

    def add(self, finished: Finished) -> None:
        """Count one choice; its prompt only with the prompt's first choice."""
        total, more = self.usage, finished.usage
        is_first = finished.choice % self._n == 0
        self.usage = Usage(
            prompt_tokens=total.prompt_tokens + more.prompt_tokens * is_first,
            cached_tokens=total.cached_tokens + more.cached_tokens * is_first,
            completion_tokens=total.completion_tokens + more.completion_tokens,
            reasoning_tokens=total.reasoning_tokens + more.reasoning_tokens,
            accepted_draft_tokens=total.accepted_draft_tokens + more.accepted_draft_tokens,
            rejected_draft_tokens=total.rejected_draft_tokens + more.rejected_draft_tokens,
        )

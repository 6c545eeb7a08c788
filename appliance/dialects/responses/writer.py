"""From the engine's events to a response: the order of its items, its states, and every event that is sent of it."""

import msgspec

from appliance.core.events import Accepted, Delta, Finished, RequestEvent, TokenLogprob, ToolCallDelta
from appliance.core.request import Tool
from appliance.errors import ApplianceError

from . import events
from .events import Frames
from .open_items import OpenCustomCall, OpenFunctionCall, OpenItem, OpenMessage, OpenReasoning
from .request import ENCRYPTED_REASONING, ResponseRequest
from .response import IncompleteDetails, ItemOut, Response, encode, error_of, usage_of
from .tools import Offer, Offers


class ResponseWriter:
    """Writes one response. `frames` hold its events so far."""

    def __init__(self, response: Response, wire: ResponseRequest, offers: Offers, first_number: int = 0) -> None:
        """Events are numbered from `first_number` on."""
        self.frames = Frames(first_number)
        self._response = response
        self._offers = offers
        self._is_summary = wire.wants_summary
        self._is_encrypted = ENCRYPTED_REASONING in (wire.include or ())
        self._stem = response.id.partition("_")[2]
        self._done: list[ItemOut] = []
        self._current: OpenItem | None = None
        self._num_calls = 0
        self._space = ""
        self._logprobs: tuple[TokenLogprob, ...] = ()
        self._finished: Finished | None = None

    @property
    def response(self) -> Response:
        """The response as it is now."""
        items = [*self._done, *([self._current.item("in_progress")] if self._current else [])]
        output = tuple(msgspec.Raw(encode(item)) for item in items)
        return msgspec.structs.replace(self._response, output=output)

    @property
    def is_waiting(self) -> bool:
        """Whether nothing was done for it yet."""
        return self._response.status == "queued"

    @property
    def is_answered(self) -> bool:
        """Whether the engine has said all."""
        return self._finished is not None

    def open(self) -> None:
        """Begin."""
        self.frames.put(events.Created(sequence_number=self.frames.next_number, response=self.response))
        kind = events.Queued if self.is_waiting else events.InProgress
        self.frames.put(kind(sequence_number=self.frames.next_number, response=self.response))

    def add(self, event: RequestEvent) -> None:
        """Take the next event of the engine."""
        if isinstance(event, Accepted | Delta) and self.is_waiting:
            self._response = msgspec.structs.replace(self._response, status="in_progress")
            self.frames.put(events.InProgress(sequence_number=self.frames.next_number, response=self.response))
        if isinstance(event, Delta):
            self._grow(event)
        elif isinstance(event, Finished):
            self._finished = event

    def end(self, now_s: float) -> None:
        """End what the engine has finished."""
        assert self._finished is not None, "the engine's last event came"
        is_cut = self._finished.reason == "length"
        if self._finished.reason == "stop" and not self._num_calls and not isinstance(self._current, OpenMessage):
            self._message().add("" if self._done else self._space, ())
        if isinstance(self._current, OpenMessage):
            self._current.add("", self._logprobs)
        details = IncompleteDetails(reason="max_output_tokens") if is_cut else None
        self._close(
            "incomplete" if is_cut else "completed",
            incomplete_details=details,
            usage=usage_of(self._finished.usage),
            completed_at=None if is_cut else int(now_s),
        )

    def fail(self, error: ApplianceError) -> None:
        """End it with an error; what was written stays."""
        self._close("failed", error=error_of(error))

    def cancel(self) -> None:
        """End it since nobody wants it any more; what was written stays."""
        self._close("cancelled")

    def _grow(self, delta: Delta) -> None:
        if delta.reasoning:
            self._reasoning().add(delta.reasoning)
        if delta.text or delta.logprobs:
            self._say(delta)
        for call in delta.tool_calls:
            self._call(call)

    def _say(self, delta: Delta) -> None:
        if not delta.reasoning and not delta.tool_calls:
            self._logprobs += delta.logprobs
        if not delta.text:
            return
        text = delta.text
        if not isinstance(self._current, OpenMessage):
            # Between thinking, words and calls models write blank lines, which are no message and belong to none
            self._space += text
            if not text.strip():
                return
            text = text.lstrip() if self._current else self._space
        self._message().add(text, self._logprobs)
        self._space, self._logprobs = "", ()

    def _message(self) -> OpenMessage:
        if not isinstance(self._current, OpenMessage):
            self._close_item("completed")
            self._current = OpenMessage(self.frames, *self._place())
        return self._current

    def _reasoning(self) -> OpenReasoning:
        if not isinstance(self._current, OpenReasoning):
            self._close_item("completed")
            self._current = OpenReasoning(
                self.frames, *self._place(), is_summary=self._is_summary, is_encrypted=self._is_encrypted
            )
        return self._current

    def _call(self, call: ToolCallDelta) -> None:
        if call.index == self._num_calls:
            self._close_item("completed")
            self._num_calls += 1
            name = call.name or ""
            offer = self._offers.get(name) or _unknown(name)
            opened = OpenCustomCall if offer.is_custom else OpenFunctionCall
            self._current = opened(self.frames, *self._place(), call.id or f"call_{self._stem}_{call.index}", offer)
        assert isinstance(self._current, OpenCustomCall | OpenFunctionCall), "calls are written one after another"
        self._current.add(call.arguments)

    def _place(self) -> tuple[int, str]:
        index = len(self._done)
        return index, f"{self._stem}_{index}"

    def _close_item(self, status: str) -> None:
        if self._current is not None:
            self._current.close(status)
            self._done.append(self._current.item(status))
            self._current, self._space = None, ""

    def _close(self, status: str, **changes: object) -> None:
        self._close_item("completed" if status == "completed" else "incomplete")
        self._response = msgspec.structs.replace(self._response, status=status, **changes)
        kind = {"completed": events.Completed, "failed": events.FailedEvent}.get(status, events.Incomplete)
        self.frames.put(kind(sequence_number=self.frames.next_number, response=self.response))


def _unknown(name: str) -> Offer:
    """Return how a call of a tool that nobody offered is told: as the model wrote it."""
    return Offer(tool=Tool(name=name), name=name, namespace=None, is_custom=False)

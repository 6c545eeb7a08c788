"""The events of a response's stream, each with its number."""

import msgspec

from appliance.dialects.openai.logprobs import TokenLogprobWire
from appliance.errors import ApplianceError

from .response import ItemOut, ReasoningPart, Response, SummaryPart, TextPart, encode


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Any event. The first one of a response has number 0."""

    sequence_number: int


class Created(Event, frozen=True, kw_only=True, tag="response.created"):
    """The response exists."""

    response: Response


class Queued(Event, frozen=True, kw_only=True, tag="response.queued"):
    """A background response waits."""

    response: Response


class InProgress(Event, frozen=True, kw_only=True, tag="response.in_progress"):
    """The model works on it."""

    response: Response


class Completed(Event, frozen=True, kw_only=True, tag="response.completed"):
    """The response is whole."""

    response: Response


class Incomplete(Event, frozen=True, kw_only=True, tag="response.incomplete"):
    """The response ended early, by its limit of tokens or by a cancel."""

    response: Response


class FailedEvent(Event, frozen=True, kw_only=True, tag="response.failed"):
    """The response failed."""

    response: Response


class ItemAdded(Event, frozen=True, kw_only=True, tag="response.output_item.added"):
    """An item of the output begins."""

    output_index: int
    item: ItemOut


class ItemDone(Event, frozen=True, kw_only=True, tag="response.output_item.done"):
    """An item of the output is whole."""

    output_index: int
    item: ItemOut


class OfItem(Event, frozen=True, kw_only=True):
    """An event that belongs to an item of the output."""

    item_id: str
    output_index: int


class PartAdded(OfItem, frozen=True, kw_only=True, tag="response.content_part.added"):
    """A part of an item begins."""

    content_index: int = 0
    part: TextPart | ReasoningPart


class PartDone(OfItem, frozen=True, kw_only=True, tag="response.content_part.done"):
    """A part of an item is whole."""

    content_index: int = 0
    part: TextPart | ReasoningPart


class TextDelta(OfItem, frozen=True, kw_only=True, tag="response.output_text.delta"):
    """More words."""

    content_index: int = 0
    delta: str
    logprobs: tuple[TokenLogprobWire, ...] = ()


class TextDone(OfItem, frozen=True, kw_only=True, tag="response.output_text.done"):
    """All words."""

    content_index: int = 0
    text: str
    logprobs: tuple[TokenLogprobWire, ...] = ()


class ReasoningDelta(OfItem, frozen=True, kw_only=True, tag="response.reasoning_text.delta"):
    """More thinking."""

    content_index: int = 0
    delta: str


class ReasoningDone(OfItem, frozen=True, kw_only=True, tag="response.reasoning_text.done"):
    """All thinking."""

    content_index: int = 0
    text: str


class SummaryPartAdded(OfItem, frozen=True, kw_only=True, tag="response.reasoning_summary_part.added"):
    """A summary begins."""

    summary_index: int = 0
    part: SummaryPart


class SummaryPartDone(OfItem, frozen=True, kw_only=True, tag="response.reasoning_summary_part.done"):
    """A summary is whole."""

    summary_index: int = 0
    part: SummaryPart


class SummaryDelta(OfItem, frozen=True, kw_only=True, tag="response.reasoning_summary_text.delta"):
    """More of a summary."""

    summary_index: int = 0
    delta: str


class SummaryDone(OfItem, frozen=True, kw_only=True, tag="response.reasoning_summary_text.done"):
    """All of a summary."""

    summary_index: int = 0
    text: str


class ArgumentsDelta(OfItem, frozen=True, kw_only=True, tag="response.function_call_arguments.delta"):
    """More of a call's arguments."""

    delta: str


class ArgumentsDone(OfItem, frozen=True, kw_only=True, tag="response.function_call_arguments.done"):
    """All of a call's arguments."""

    name: str
    arguments: str


class InputDelta(OfItem, frozen=True, kw_only=True, tag="response.custom_tool_call_input.delta"):
    """More of a custom tool's input."""

    delta: str


class InputDone(OfItem, frozen=True, kw_only=True, tag="response.custom_tool_call_input.done"):
    """All of a custom tool's input."""

    input: str


class ErrorEvent(Event, frozen=True, kw_only=True, tag="error"):
    """The stream cannot go on; the response itself may."""

    code: str | None
    message: str
    param: str | None


ResponseEvent = (
    Created
    | Queued
    | InProgress
    | Completed
    | Incomplete
    | FailedEvent
    | ItemAdded
    | ItemDone
    | PartAdded
    | PartDone
    | TextDelta
    | TextDone
    | ReasoningDelta
    | ReasoningDone
    | SummaryPartAdded
    | SummaryPartDone
    | SummaryDelta
    | SummaryDone
    | ArgumentsDelta
    | ArgumentsDone
    | InputDelta
    | InputDone
    | ErrorEvent
)


def frame(event: Event) -> bytes:
    """Return `event` as one Server-Sent Event."""
    tag = event.__struct_config__.tag
    return b"event: %b\ndata: %b\n\n" % (str(tag).encode(), encode(event))


def number_of(sent: bytes) -> int:
    """Return the number of an event that was made by `frame`."""
    return msgspec.json.decode(sent.partition(b"\ndata: ")[2], type=_Numbered).sequence_number


def error_frame(error: ApplianceError) -> bytes:
    """Return `error` as the last event of a stream that cannot go on."""
    return frame(ErrorEvent(sequence_number=0, code=error.code, message=error.message, param=error.param))


class _Numbered(msgspec.Struct):
    sequence_number: int


class Frames:
    """The events of one response so far, as they are sent. Numbers follow each other from the first one on."""

    def __init__(self, first_number: int = 0) -> None:
        self.first_number = first_number
        self.sent: list[bytes] = []

    @property
    def next_number(self) -> int:
        """The number of the next event."""
        return self.first_number + len(self.sent)

    def put(self, event: Event) -> None:
        """Add an event."""
        self.sent.append(frame(event))

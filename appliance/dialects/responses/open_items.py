"""The item that a response is being written into: what is sent when it begins, when it grows and when it is whole."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from msgspec import UNSET

from appliance.core.events import TokenLogprob
from appliance.dialects.custom_tools import InputReader
from appliance.dialects.openai.logprobs import TokenLogprobWire, chat_logprobs

from . import events
from .events import Event, Frames
from .items import item_id
from .response import (
    CustomCallOut,
    FunctionCallOut,
    ItemOut,
    MessageOut,
    ReasoningOut,
    ReasoningPart,
    SummaryPart,
    TextPart,
)
from .tools import Offer
from .transcript import encrypt


class OpenItem(ABC):
    """An item that is not whole yet: its place in the output, and its text so far."""

    def __init__(self, frames: Frames, index: int, id: str) -> None:
        self._frames = frames
        self._index = index
        self._id = id
        self._texts: list[str] = []

    @abstractmethod
    def item(self, status: str) -> ItemOut:
        """Return it as it is now."""

    @abstractmethod
    def close(self, status: str) -> None:
        """Say that it is whole, or cut off."""

    @property
    def _text(self) -> str:
        return "".join(self._texts)

    def _put(self, kind: Callable[..., Event], **fields: object) -> None:
        number = self._frames.next_number
        self._frames.put(kind(sequence_number=number, item_id=self._id, output_index=self._index, **fields))

    def _put_item(self, kind: Callable[..., Event], item: ItemOut) -> None:
        self._frames.put(kind(sequence_number=self._frames.next_number, output_index=self._index, item=item))


class OpenMessage(OpenItem):
    """Words."""

    def __init__(self, frames: Frames, index: int, stem: str) -> None:
        super().__init__(frames, index, item_id("message", stem))
        self._logprobs: list[TokenLogprobWire] = []
        self._put_item(events.ItemAdded, MessageOut(id=self._id, status="in_progress"))
        self._put(events.PartAdded, part=TextPart(text=""))

    def add(self, text: str, logprobs: tuple[TokenLogprob, ...]) -> None:
        """Take more words."""
        if not text and not logprobs:
            return
        wire = tuple(chat_logprobs(logprobs).content) if logprobs else ()
        self._texts.append(text)
        self._logprobs += wire
        self._put(events.TextDelta, delta=text, logprobs=wire)

    def item(self, status: str) -> MessageOut:
        """Return it as it is now."""
        return MessageOut(id=self._id, status=status, content=(self._part(),))

    def close(self, status: str) -> None:
        """Say that it is whole, or cut off."""
        self._put(events.TextDone, text=self._text, logprobs=tuple(self._logprobs))
        self._put(events.PartDone, part=self._part())
        self._put_item(events.ItemDone, self.item(status))

    def _part(self) -> TextPart:
        return TextPart(text=self._text, logprobs=tuple(self._logprobs))


class OpenReasoning(OpenItem):
    """Thinking, told as it is, or as a summary that leaves nothing out."""

    def __init__(self, frames: Frames, index: int, stem: str, *, is_summary: bool, is_encrypted: bool) -> None:
        super().__init__(frames, index, item_id("reasoning", stem))
        self._is_summary = is_summary
        self._is_encrypted = is_encrypted
        self._put_item(events.ItemAdded, ReasoningOut(id=self._id, status="in_progress"))
        if is_summary:
            self._put(events.SummaryPartAdded, part=SummaryPart(text=""))
        else:
            self._put(events.PartAdded, part=ReasoningPart(text=""))

    def add(self, text: str) -> None:
        """Take more thinking."""
        self._texts.append(text)
        self._put(events.SummaryDelta if self._is_summary else events.ReasoningDelta, delta=text)

    def item(self, status: str) -> ReasoningOut:
        """Return it as it is now."""
        text = self._text
        return ReasoningOut(
            id=self._id,
            status=status,
            summary=(SummaryPart(text=text),) if self._is_summary else (),
            content=None if self._is_summary else (ReasoningPart(text=text),),
            encrypted_content=encrypt(text) if self._is_encrypted else None,
        )

    def close(self, status: str) -> None:
        """Say that it is whole, or cut off."""
        text = self._text
        if self._is_summary:
            self._put(events.SummaryDone, text=text)
            self._put(events.SummaryPartDone, part=SummaryPart(text=text))
        else:
            self._put(events.ReasoningDone, text=text)
            self._put(events.PartDone, part=ReasoningPart(text=text))
        self._put_item(events.ItemDone, self.item(status))


class OpenFunctionCall(OpenItem):
    """A function call."""

    def __init__(self, frames: Frames, index: int, stem: str, call_id: str, offer: Offer) -> None:
        super().__init__(frames, index, item_id("function_call", stem))
        self._call_id, self._offer = call_id, offer
        self._put_item(events.ItemAdded, self.item("in_progress"))

    def add(self, arguments: str) -> None:
        """Take more of its arguments."""
        if arguments:
            self._texts.append(arguments)
            self._put(events.ArgumentsDelta, delta=arguments)

    def item(self, status: str) -> FunctionCallOut:
        """Return it as it is now."""
        return FunctionCallOut(
            id=self._id,
            status=status,
            call_id=self._call_id,
            name=self._offer.name,
            arguments=self._text,
            namespace=self._offer.namespace or UNSET,
        )

    def close(self, status: str) -> None:
        """Say that it is whole, or cut off."""
        self._put(events.ArgumentsDone, name=self._offer.name, arguments=self._text)
        self._put_item(events.ItemDone, self.item(status))


class OpenCustomCall(OpenItem):
    """A call of a custom tool: its input is taken out of the JSON that the model writes."""

    def __init__(self, frames: Frames, index: int, stem: str, call_id: str, offer: Offer) -> None:
        super().__init__(frames, index, item_id("custom_tool_call", stem))
        self._call_id, self._offer = call_id, offer
        self._reader = InputReader()
        self._put_item(events.ItemAdded, self.item("in_progress"))

    def add(self, arguments: str) -> None:
        """Take more of what the model writes."""
        self._grow(self._reader.add(arguments))

    def item(self, status: str) -> CustomCallOut:
        """Return it as it is now."""
        return CustomCallOut(
            id=self._id,
            status=status,
            call_id=self._call_id,
            name=self._offer.name,
            input=self._text,
            namespace=self._offer.namespace or UNSET,
        )

    def close(self, status: str) -> None:
        """Say that it is whole, or cut off."""
        self._grow(self._reader.end())
        self._put(events.InputDone, input=self._text)
        self._put_item(events.ItemDone, self.item(status))

    def _grow(self, text: str) -> None:
        if text:
            self._texts.append(text)
            self._put(events.InputDelta, delta=text)

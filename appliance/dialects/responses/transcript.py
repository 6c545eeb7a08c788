"""Items as the messages that a chat template renders.

The same items always become the same messages, so that a conversation that goes on begins as it began, and what is in
the prefix cache of it need not be computed again.
"""

import base64
import binascii
from collections.abc import Iterable

from appliance.core.request import Message, ToolCall
from appliance.dialects.custom_tools import arguments_of
from appliance.dialects.decode import convert_json

from .items import (
    FORMS,
    CustomCallItem,
    FunctionCallItem,
    Item,
    MessageItem,
    OutputItem,
    ReasoningItem,
    read_content,
    texts_of,
)
from .tools import visible_name


def messages_of(instructions: str | None, items: Iterable[Item]) -> tuple[Message, ...]:
    """Return the conversation. Items that no model reads leave no trace."""
    transcript = _Transcript()
    if instructions:
        transcript.add(MessageItem(role="system", content=instructions))
    for item in items:
        if form := FORMS.get(item["type"]):
            transcript.add(convert_json(item, form, "input"))
    return tuple(transcript.end())


def encrypt(reasoning: str) -> str:
    """Return thinking as a client is to keep it unread. It hides nothing: the client is told the thinking anyway."""
    return base64.b64encode(reasoning.encode()).decode()


class _Transcript:
    """Messages so far, and the assistant's turn while it is open: thinking, words and calls are items of their own."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._names: dict[str, str] = {}
        self._reasoning: str | None = None
        self._text: str | None = None
        self._calls: list[ToolCall] = []

    def add(self, item: object) -> None:
        """Take the next item."""
        if isinstance(item, ReasoningItem):
            self._think(item)
        elif isinstance(item, FunctionCallItem):
            self._call(item.call_id, visible_name(item.name, item.namespace), item.arguments)
        elif isinstance(item, CustomCallItem):
            self._call(item.call_id, visible_name(item.name, item.namespace), arguments_of(item.input))
        elif isinstance(item, OutputItem):
            self._close()
            name = self._names.get(item.call_id)
            read = read_content(item.output)
            self._messages.append(
                Message(role="tool", content=read.text, name=name, tool_call_id=item.call_id, media=read.media)
            )
        elif isinstance(item, MessageItem):
            self._say(item)

    def end(self) -> list[Message]:
        """Return all messages."""
        self._close()
        return self._messages

    def _think(self, item: ReasoningItem) -> None:
        if self._text is not None or self._calls:
            self._close()
        self._reasoning = (self._reasoning or "") + _thinking(item)

    def _call(self, id: str, name: str, arguments: str) -> None:
        self._names[id] = name
        self._calls.append(ToolCall(id=id, name=name, arguments=arguments))

    def _say(self, item: MessageItem) -> None:
        if item.role == "user":
            self._close()
            read = read_content(item.content)
            self._messages.append(Message(role="user", content=read.text, media=read.media))
            return
        text = "\n".join(texts_of(item.content))
        if item.role == "assistant":
            if self._text is not None or self._calls:
                self._close()
            self._text = text
            return
        self._close()
        if self._messages and self._messages[-1].role == "system":
            # Most templates take one system message, and only first; instructions and a developer's come as two
            self._messages[-1] = Message(role="system", content=f"{self._messages[-1].content}\n\n{text}")
        else:
            self._messages.append(Message(role="system", content=text))

    def _close(self) -> None:
        """End the assistant's turn."""
        if self._text is not None or self._calls or self._reasoning:
            self._messages.append(
                Message(
                    role="assistant",
                    content=self._text or "",
                    reasoning=self._reasoning or None,
                    tool_calls=tuple(self._calls),
                )
            )
        self._reasoning, self._text, self._calls = None, None, []


def _thinking(item: ReasoningItem) -> str:
    if item.content:
        return "".join(texts_of(item.content))
    if item.encrypted_content:
        try:
            return base64.b64decode(item.encrypted_content, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            pass  # another provider's, which nobody here can read
    return "\n\n".join(texts_of(item.summary))

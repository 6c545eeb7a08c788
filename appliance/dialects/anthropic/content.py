"""Content: what blocks say, and the turns that they make up."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from appliance.core.request import Message, ToolCall
from appliance.dialects.media.content import AnyMedium, Content
from appliance.dialects.media.given import from_base64, from_file, from_url
from appliance.errors import InvalidRequest

from .thinking import thinking_of

# What Anthropic's servers wrote for themselves, mostly encrypted: no other model can read it
_SEALED = ("redacted_thinking", "server_tool_use", "container_upload")
_ERROR = "Error: "


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a picture or a document's content is. What a picture is shows in its bytes, whatever its type says."""

    type: str
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: "str | list[Block] | None" = None


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A block of content; which fields it has is a matter of its type. Markers of caches and citations are ignored."""

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None
    tool_use_id: str | None = None
    content: "str | list[Block] | dict[str, Any] | None" = None
    is_error: bool | None = None
    tool_name: str | None = None
    title: str | None = None
    source: str | Source | None = None


class MessageWire(msgspec.Struct, frozen=True, kw_only=True):
    """One turn. A system message may stand between them."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


def texts_of(content: str | Sequence[Block], path: str) -> list[str]:
    """Return the text of each block. Raises: InvalidRequest where one cannot be read."""
    if isinstance(content, str):
        return [content]
    return [_text(block, f"{path}[{i}]") for i, block in enumerate(content)]


def turns_of(wires: Sequence[MessageWire], start: int = 0) -> list[Message]:
    """Return the turns from message `start` on: neighbours of one role are one, and a tool's result is a turn.

    A system message between turns stays one, which not every model's template takes. Raises: InvalidRequest.
    """
    turns = _Turns()
    for i, wire in enumerate(wires[start:], start):
        turns.add(wire, f"messages[{i}].content")
    turns.close()
    return turns.messages


class _Turns:
    """Gathers blocks until a turn is complete."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._role: Literal["user", "assistant"] = "user"
        self._said = Content()
        self._thoughts: list[str] = []
        self._calls: list[ToolCall] = []
        self._tool_names: dict[str, str] = {}

    def add(self, wire: MessageWire, path: str) -> None:
        """Take a message."""
        if wire.role == "system":
            self.close()
            self.messages.append(Message(role="system", content="\n".join(texts_of(wire.content, path))))
            return
        if wire.role != self._role:
            self.close()
            self._role = wire.role
            self._said = self._nothing_said()
        if isinstance(wire.content, str):
            self._said.say(wire.content)
            return
        for i, block in enumerate(wire.content):
            self._add_block(block, f"{path}[{i}]")

    def close(self) -> None:
        """End the turn that is gathered."""
        said = self._said
        if said.is_empty and not (self._thoughts or self._calls):
            return
        self.messages.append(
            Message(
                role=self._role,
                content=said.text,
                reasoning="\n".join(self._thoughts) or None,
                tool_calls=tuple(self._calls),
                media=said.media,
            )
        )
        self._said, self._thoughts, self._calls = self._nothing_said(), [], []

    def _nothing_said(self) -> Content:
        """Return the content of a new turn: an assistant's was one text, if in pieces; a user's are paragraphs."""
        return Content("" if self._role == "assistant" else "\n")

    def _add_block(self, block: Block, path: str) -> None:
        if block.type == "thinking":
            self._thoughts.append(thinking_of(_required(block, "thinking", path), block.signature or ""))
        elif block.type in ("tool_use", "mcp_tool_use"):
            self._add_call(block, path)
        elif block.type in ("tool_result", "mcp_tool_result"):
            self._add_result(block, path)
        elif block.type == "image" and self._role == "user":
            self._said.show(_picture(block, self._said.at, path))
        elif block.type not in _SEALED and not block.type.endswith("_tool_result"):
            self._said.say(_text(block, path))

    def _add_call(self, block: Block, path: str) -> None:
        if self._role != "assistant":
            raise InvalidRequest(f"'{path}': only the assistant calls tools", param=path)
        id, name = _required(block, "id", path), _required(block, "name", path)
        self._tool_names[id] = name
        arguments = msgspec.json.encode(block.input or {}).decode()
        self._calls.append(ToolCall(id=id, name=name, arguments=arguments))

    def _add_result(self, block: Block, path: str) -> None:
        self.close()
        id = _required(block, "tool_use_id", path)
        content = block.content if isinstance(block.content, str | list) else ""
        result = _result_of(content, f"{path}.content")
        text, media = result.text, result.media
        if block.is_error and not text.lower().startswith("error"):
            text = f"{_ERROR}{text}"
            media = tuple(msgspec.structs.replace(each, at=each.at + len(_ERROR)) for each in media)
        name = self._tool_names.get(id)
        self.messages.append(Message(role="tool", content=text, name=name, tool_call_id=id, media=media))


def _result_of(content: str | Sequence[Block], path: str) -> Content:
    """Return what a tool returned: texts and pictures."""
    result = Content()
    for i, block in enumerate([Block(type="text", text=content)] if isinstance(content, str) else content):
        if block.type == "image":
            result.show(_picture(block, result.at, f"{path}[{i}]"))
        else:
            result.say(_text(block, f"{path}[{i}]"))
    return result


def _text(block: Block, path: str) -> str:
    """Return what a block says. Raises: InvalidRequest for one that is not text."""
    if block.type == "text":
        return _required(block, "text", path)
    if block.type == "tool_reference":
        return f"The tool {_required(block, 'tool_name', path)} can be called now."
    if block.type == "search_result" and isinstance(block.content, list):
        source = block.source if isinstance(block.source, str) else ""
        return "\n".join((block.title or "", source, *_plain_texts(block.content, f"{path}.content"))).strip()
    if block.type == "document" and isinstance(block.source, Source):
        return "\n".join((block.title or "", *_document_texts(block.source, f"{path}.source"))).strip()
    raise _unreadable(block.type, path)


def _picture(block: Block, at: int, path: str) -> AnyMedium:
    source, path = block.source, f"{path}.source"
    if not isinstance(source, Source):
        raise InvalidRequest(f"'{path}' is required", param=path)
    if source.type == "base64" and source.data is not None:
        return from_base64(source.data, "image", at, f"{path}.data")
    if source.type == "url" and source.url is not None:
        return from_url(source.url, "image", at, f"{path}.url")
    if source.type == "file" and source.file_id is not None:
        return from_file(source.file_id, "image", at, f"{path}.file_id")
    raise InvalidRequest(f"'{path}' is neither base64 with 'data' nor 'url' nor 'file'", param=path)


def _document_texts(source: Source, path: str) -> list[str]:
    if source.type == "text" and source.data is not None:
        return [source.data]
    if source.type == "content" and source.content is not None:
        content = [Block(type="text", text=source.content)] if isinstance(source.content, str) else source.content
        return _plain_texts(content, f"{path}.content")
    raise _unreadable(f"documents of type {source.type}", path)


def _plain_texts(blocks: Sequence[Block], path: str) -> list[str]:
    for i, block in enumerate(blocks):
        if block.type != "text":
            raise _unreadable(block.type, f"{path}[{i}]")
    return texts_of(blocks, path)


def _required(block: Block, field: str, path: str) -> str:
    value: str | None = getattr(block, field)
    if value is None:
        raise InvalidRequest(f"'{path}.{field}' is required", param=f"{path}.{field}")
    return value


def _unreadable(what: str, path: str) -> InvalidRequest:
    if what == "image":
        text = f"'{path}': an image stands in what a user says or a tool returns, nowhere else"
    else:
        text = f"'{path}': text and pictures are read, not {what!r}"
    return InvalidRequest(text, param=path)

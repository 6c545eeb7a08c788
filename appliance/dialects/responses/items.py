"""Items, inwards: what a client says happened so far, checked, and in the form in which it is kept and told again.

An item is a JSON object whose form only its `type` knows. Kept ones have a type, an id and, if messages, parts.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from appliance.dialects.decode import convert_json
from appliance.dialects.media.content import AnyMedium, Content
from appliance.dialects.media.given import InputAudio, from_file, from_input_audio, from_url
from appliance.errors import InvalidRequest

Item = dict[str, Any]

_ID_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "reasoning": "rs",
}
_TEXT_PARTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text", "refusal")
_MEDIA_PARTS = ("input_image", "input_audio")
REFERENCE = "item_reference"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a content: text, a picture or a recording. How finely a picture is looked at is the model's matter."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None
    input_audio: InputAudio | None = None


class MessageItem(msgspec.Struct, frozen=True, kw_only=True):
    """A turn."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Part] | None = None


class FunctionCallItem(msgspec.Struct, frozen=True, kw_only=True):
    """A function call that the model made."""

    call_id: str
    name: str
    arguments: str
    namespace: str | None = None


class CustomCallItem(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a custom tool that the model made."""

    call_id: str
    name: str
    input: str
    namespace: str | None = None


class OutputItem(msgspec.Struct, frozen=True, kw_only=True):
    """What a call returned."""

    call_id: str
    output: str | list[Part]


class ReasoningItem(msgspec.Struct, frozen=True, kw_only=True):
    """What the model thought, in one of the three forms that it was told in."""

    summary: list[Part] = []
    content: list[Part] | None = None
    encrypted_content: str | None = None


class ReferenceItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item that the store knows already."""

    id: str


FORMS: dict[str, type[msgspec.Struct]] = {
    "message": MessageItem,
    "function_call": FunctionCallItem,
    "function_call_output": OutputItem,
    "custom_tool_call": CustomCallItem,
    "custom_tool_call_output": OutputItem,
    "reasoning": ReasoningItem,
    REFERENCE: ReferenceItem,
}


def take_in(wire: str | Sequence[Item] | None, stem: str, param: str = "input") -> tuple[Item, ...]:
    """Return what was sent as items to keep; those without an id get one that is made from `stem`, new for each call.

    What no model reads (a web search of another provider's) is kept and not shown to it. Raises: InvalidRequest.
    """
    if isinstance(wire, str):
        wire = [{"role": "user", "content": wire}] if wire else []
    return tuple(_kept(item, f"{stem}_i{number}", f"{param}[{number}]") for number, item in enumerate(wire or ()))


def item_id(kind: str, rest: str) -> str:
    """Return an id that says what it belongs to."""
    return f"{_ID_PREFIXES.get(kind, 'item')}_{rest}"


def texts_of(content: str | Sequence[Part] | None) -> list[str]:
    """Return the texts of a content that was checked, and that holds nothing else."""
    if content is None or isinstance(content, str):
        return [content or ""]
    return [_text_of(part) for part in content]


def read_content(content: str | Sequence[Part] | None, path: str = "input") -> Content:
    """Return texts and media of a content. Raises: InvalidRequest, for a medium that cannot be read."""
    read = Content()
    if content is None or isinstance(content, str):
        read.say(content or "")
        return read
    for number, part in enumerate(content):
        if part.type in _MEDIA_PARTS:
            read.show(_medium_of(part, read.at, f"{path}[{number}]"))
        else:
            read.say(_text_of(part))
    return read


def _kept(item: Item, rest: str, path: str) -> Item:
    kind = _kind(item, path)
    if kind in ("compaction", "compaction_trigger"):
        raise InvalidRequest(
            f"'{path}': a compacted conversation can be read only by the server that made it; send the items instead",
            param=path,
        )
    form = FORMS.get(kind)
    kept = item | {"type": kind, "id": item.get("id") or item_id(kind, rest)}
    if form is None:
        return kept
    wire = convert_json(item, form, path)
    if isinstance(wire, MessageItem):
        _check_parts(wire.content, f"{path}.content", can_show=wire.role == "user")
        return kept | {"status": "completed", "content": _parts(wire)}
    if isinstance(wire, OutputItem):
        _check_parts(wire.output, f"{path}.output", can_show=True)
    if isinstance(wire, ReasoningItem):
        return kept | {"summary": item.get("summary") or []}
    return kept if isinstance(wire, ReferenceItem) else kept | {"status": "completed"}


def _kind(item: Item, path: str) -> str:
    kind, id = item.get("type"), item.get("id")
    if id is not None and not isinstance(id, str):
        raise InvalidRequest(f"'{path}.id' is not a string", param=f"{path}.id")
    if kind is None and "role" in item:
        return "message"
    if kind is None and set(item) == {"id"}:
        return REFERENCE
    if not isinstance(kind, str):
        raise InvalidRequest(f"'{path}.type' is required, and is a string", param=f"{path}.type")
    return kind


def _check_parts(content: str | Sequence[Part] | None, path: str, *, can_show: bool) -> None:
    for number, part in enumerate(content if isinstance(content, list) else ()):
        where = f"{path}[{number}]"
        if part.type in _MEDIA_PARTS and not can_show:
            raise InvalidRequest(
                f"'{where}': pictures and recordings stand in what a user says or a tool returns, nowhere else",
                param=where,
            )
        is_text = part.type in _TEXT_PARTS and (part.refusal if part.type == "refusal" else part.text) is not None
        if part.type == "input_file":
            raise InvalidRequest(
                f"'{where}': no documents are read here; send their text, or pictures of pages", param=where
            )
        if not is_text and part.type not in _MEDIA_PARTS:
            raise InvalidRequest(f"'{where}': text, pictures and recordings are read, not {part.type!r}", param=where)
    if can_show:
        read_content(content, path)


def _text_of(part: Part) -> str:
    return (part.refusal if part.type == "refusal" else part.text) or ""


def _medium_of(part: Part, at: int, path: str) -> AnyMedium:
    if part.type == "input_audio":
        return from_input_audio(part.input_audio, at, f"{path}.input_audio")
    if part.image_url is not None:
        return from_url(part.image_url, "image", at, f"{path}.image_url")
    if part.file_id is None:
        raise InvalidRequest(f"'{path}' has neither 'image_url' nor 'file_id'", param=path)
    return from_file(part.file_id, "image", at, f"{path}.file_id")


def _parts(wire: MessageItem) -> list[Item]:
    """Return the content as parts, as the published schema has them: an assistant's carry annotations."""
    parts = wire.content if isinstance(wire.content, list) else [Part(type="text", text=wire.content or "")]
    return [_part(part, is_said=wire.role == "assistant") for part in parts]


def _part(part: Part, *, is_said: bool) -> Item:
    if part.type == "refusal":
        return {"type": "refusal", "refusal": part.refusal}
    if part.type == "input_image":
        return {
            "type": "input_image",
            "image_url": part.image_url,
            "file_id": part.file_id,
            "detail": part.detail or "auto",
        }
    if part.input_audio is not None:
        return {"type": "input_audio", "input_audio": msgspec.to_builtins(part.input_audio)}
    if is_said:
        return {"type": "output_text", "text": part.text, "annotations": [], "logprobs": []}
    return {"type": "input_text", "text": part.text}

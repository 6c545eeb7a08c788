"""Finds out what a chat template can render, by letting it render small conversations once.

Templates do not say what they know. One that ignores tools renders the same text with and without them; one that wants
arguments as a mapping writes a text twice quoted, or fails.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.errors import ApplianceError

from .template import ChatTemplate

_NEEDLE = "needle5b1d"
_LONG_ID = "call_0123456789abcdef01234567"
_SHORT_ID = "abcdef012"
_USER = {"role": "user", "content": "hi"}
_TOOL = {
    "type": "function",
    "function": {
        "name": _NEEDLE,
        "description": "",
        "parameters": {"type": "object", "properties": {"a": {"type": "string", "description": ""}}, "required": ["a"]},
    },
}


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a template renders. What it does not is written as text, or in another form.

    `has_parts`: contents are lists of parts. `has_short_ids`: calls are named by nine letters and digits. `wants_list`:
    no tools are an empty list and not none.
    """

    system: bool
    tools: bool
    calls: bool
    results: bool
    several_calls: bool
    maps_arguments: bool
    has_parts: bool
    has_short_ids: bool
    wants_list: bool


def find_abilities(template: ChatTemplate) -> Abilities:
    """Try the template out. Nothing of what it does wrong is an error here."""
    wants_list = not _Probe(template).shows("", [_USER]) and _Probe(template, wants_list=True).shows("", [_USER])
    probe = _Probe(template, wants_list=wants_list)
    has_parts = not probe.shows(_NEEDLE, [_user(_NEEDLE)]) and probe.shows(
        _NEEDLE, [{"role": "user", "content": [{"type": "text", "text": _NEEDLE}]}]
    )
    if has_parts:
        probe = _Probe(template, has_parts=True, wants_list=wants_list)
    as_map = [probe.writes_argument([_USER, _asks(_NEEDLE, call_id, {"needle_key": _NEEDLE})]) for call_id in _IDS]
    as_text = [probe.writes_argument([_USER, _asks(_NEEDLE, call_id, _ARGUMENTS_TEXT)]) for call_id in _IDS]
    has_short_ids = not (as_map[0] or as_text[0]) and (as_map[1] or as_text[1])
    call_id = _SHORT_ID if has_short_ids else _LONG_ID
    maps_arguments = any(as_map)
    arguments = {"needle_key": _NEEDLE} if maps_arguments else _ARGUMENTS_TEXT
    asks = _asks("first", call_id, arguments)
    other = _asks("second", call_id, arguments)["tool_calls"][0]
    return Abilities(
        system=probe.shows(_NEEDLE, [{"role": "system", "content": _NEEDLE}, _USER]),
        tools=probe.shows(_NEEDLE, [_USER], tools=[_TOOL]),
        calls=any(as_map) or any(as_text),
        results=probe.shows(_NEEDLE, [_USER, asks, _answers(_NEEDLE, call_id)]),
        several_calls=probe.shows("second", [_USER, {**asks, "tool_calls": [*asks["tool_calls"], other]}]),
        maps_arguments=maps_arguments,
        has_parts=has_parts,
        has_short_ids=has_short_ids,
        wants_list=wants_list,
    )


def with_parts(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message with its content as a list of one part, as templates of models that also see read it."""
    return {**message, "content": [{"type": "text", "text": message["content"]}]}


_IDS = (_LONG_ID, _SHORT_ID)
_ARGUMENTS_TEXT = f'{{"needle_key": "{_NEEDLE}"}}'


class _Probe:
    def __init__(self, template: ChatTemplate, *, has_parts: bool = False, wants_list: bool = False) -> None:
        self._template = template
        self._has_parts = has_parts
        self._no_tools: Sequence[Mapping[str, Any]] | None = [] if wants_list else None

    def shows(self, text: str, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()) -> bool:
        """Return whether the text comes out; the empty one does where anything does."""
        rendered = self._render(messages, tools)
        return rendered is not None and text in rendered

    def writes_argument(self, messages: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether the argument comes out in a form that a model could have been trained on."""
        text = self._render(messages, ()) or ""
        return "needle_key" in text and "'needle_key'" not in text and '\\"needle_key' not in text

    def _render(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> str | None:
        shown = [with_parts(message) for message in messages] if self._has_parts else messages
        try:
            return self._template.render(shown, {}, tools or self._no_tools)
        except ApplianceError:
            return None


def _user(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


def _asks(name: str, call_id: str, arguments: Any) -> dict[str, Any]:
    call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"role": "assistant", "content": "", "tool_calls": [call]}


def _answers(content: str, call_id: str) -> dict[str, Any]:
    return {"role": "tool", "content": content, "tool_call_id": call_id, "name": "first"}

"""The tools of a request: as the model is told of them, and how its calls are told to the client."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from appliance.core.request import Tool, ToolChoice
from appliance.dialects.custom_tools import custom_tool
from appliance.dialects.decode import convert_json
from appliance.errors import InvalidRequest

from .request import Name

_SEPARATOR = "__"


class FunctionTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool with a schema for its arguments."""

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class CustomFormat(msgspec.Struct, frozen=True, kw_only=True):
    """What the text for a custom tool looks like."""

    type: Literal["text", "grammar"] = "text"
    syntax: Literal["lark", "regex"] | None = None
    definition: str | None = None


class CustomTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that takes any text."""

    name: Name
    description: str | None = None
    format: CustomFormat | None = None


class NamespaceTool(msgspec.Struct, frozen=True, kw_only=True):
    """Tools that belong together and may be called as tools of other groups are."""

    name: Name
    tools: list[dict[str, Any]]
    description: str | None = None


class ToolKind(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that is named by `tool_choice`."""

    type: str
    name: str | None = None
    mode: Literal["auto", "required"] = "auto"
    tools: list[dict[str, Any]] | None = None


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as the model sees it, and under which name and in which form the client knows its calls."""

    tool: Tool
    name: str
    namespace: str | None
    is_custom: bool


Offers = Mapping[str, Offer]
"""By the name that the model sees."""


def offers_of(tools: Sequence[dict[str, Any]]) -> dict[str, Offer]:
    """Return what is offered to the model. Raises: InvalidRequest."""
    offers: dict[str, Offer] = {}
    for path, namespace, tool in _flat(tools):
        kind = tool.get("type")
        if kind == "function":
            made = _function(convert_json(tool, FunctionTool, path), namespace)
        elif kind == "custom":
            made = _custom(convert_json(tool, CustomTool, path), namespace)
        else:
            message = f"'{path}' is a {kind!r}, which nothing here runs; leave it out"
            raise InvalidRequest(message, param=f"{path}.type")
        if made.tool.name in offers:
            raise InvalidRequest(f"two tools are named {made.name!r}", param=f"{path}.name")
        offers[made.tool.name] = made
    return offers


def visible_name(name: str, namespace: str | None) -> str:
    """Return the name that the model sees."""
    return f"{namespace}{_SEPARATOR}{name}" if namespace else name


def choose(offers: Offers, choice: str | dict[str, Any] | None, is_parallel: bool) -> tuple[Offers, ToolChoice]:
    """Return the tools that may be called and whether they must be. Raises: InvalidRequest."""
    if choice is None or isinstance(choice, str):
        mode = convert_json(choice or "auto", Literal["auto", "none", "required"], "tool_choice")
        return _checked(offers, ToolChoice(mode=mode, is_parallel=is_parallel))
    wanted = convert_json(choice, ToolKind, "tool_choice")
    if wanted.type == "allowed_tools":
        allowed = {(tool.get("type"), tool.get("name")) for tool in wanted.tools or ()}
        kept = {seen: offer for seen, offer in offers.items() if (_kind(offer), offer.name) in allowed}
        return _checked(kept, ToolChoice(mode=wanted.mode, is_parallel=is_parallel))
    if wanted.type not in ("function", "custom"):
        return offers, ToolChoice(is_parallel=is_parallel)
    named = [seen for seen, offer in offers.items() if (_kind(offer), offer.name) == (wanted.type, wanted.name)]
    if not named:
        raise InvalidRequest(f"'tool_choice' names {wanted.name!r}, which is not in 'tools'", param="tool_choice")
    return offers, ToolChoice(mode="required", name=named[0], is_parallel=is_parallel)


def _checked(offers: Offers, choice: ToolChoice) -> tuple[Offers, ToolChoice]:
    if choice.mode == "required" and not offers:
        raise InvalidRequest(
            "'tool_choice' requires a call, and no tool of 'tools' can be called here: functions and custom tools can",
            param="tool_choice",
        )
    return offers, choice


def _kind(offer: Offer) -> str:
    return "custom" if offer.is_custom else "function"


def _flat(tools: Sequence[dict[str, Any]]) -> Iterable[tuple[str, str | None, dict[str, Any]]]:
    for number, tool in enumerate(tools):
        path = f"tools[{number}]"
        if tool.get("type") != "namespace":
            yield path, None, tool
            continue
        group = convert_json(tool, NamespaceTool, path)
        for inner, member in enumerate(group.tools):
            yield f"{path}.tools[{inner}]", group.name, member


def _function(wire: FunctionTool, namespace: str | None) -> Offer:
    tool = Tool(
        name=visible_name(wire.name, namespace),
        description=wire.description or "",
        parameters=wire.parameters or {},
        is_strict=wire.strict is True,
    )
    return Offer(tool=tool, name=wire.name, namespace=namespace, is_custom=False)


def _custom(wire: CustomTool, namespace: str | None) -> Offer:
    written = wire.format if wire.format is not None and wire.format.type == "grammar" else CustomFormat()
    tool = custom_tool(
        visible_name(wire.name, namespace),
        wire.description or "",
        pattern=written.definition if written.syntax == "regex" else None,
        grammar=written.definition if written.syntax == "lark" else None,
    )
    return Offer(tool=tool, name=wire.name, namespace=namespace, is_custom=True)

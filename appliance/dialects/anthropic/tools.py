"""Tools: those with a schema of their own, Anthropic's own that run at the client's, and which of them are called."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from appliance.core.request import Tool, ToolChoice
from appliance.errors import InvalidRequest

from .client_tools import client_tool


class ToolWire(msgspec.Struct, frozen=True, kw_only=True):
    """One tool. A type other than `custom` names one that Anthropic's models know without a schema."""

    name: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None


class ToolChoiceWire(msgspec.Struct, frozen=True, kw_only=True):
    """The field `tool_choice`."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


def tools_of(wires: Sequence[ToolWire]) -> tuple[Tool, ...]:
    """Return the tools that the model is told of. Raises: InvalidRequest.

    Left out are those that Anthropic's servers run (web search, code execution, MCP) and those that need eyes: their
    clients, Claude Code among them, go on without.
    """
    found = [tool for i, wire in enumerate(wires) if (tool := _tool(wire, f"tools[{i}]"))]
    names = [tool.name for tool in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidRequest(f"'tools' holds {twice!r} twice; each tool needs a name of its own", param="tools")
    return tuple(found)


def tool_choice_of(wire: ToolChoiceWire | None, wires: Sequence[ToolWire], tools: Sequence[Tool]) -> ToolChoice:
    """Return which tools are called: whichever the model wants, where the one asked for was left out.

    Raises: InvalidRequest.
    """
    if wire is None:
        return ToolChoice()
    is_parallel = not wire.disable_parallel_tool_use
    if wire.type == "none":
        return ToolChoice(mode="none")
    if wire.type == "auto":
        return ToolChoice(is_parallel=is_parallel)
    if wire.type == "tool":
        return _named(wire, wires, tools, is_parallel)
    if not wires:
        raise InvalidRequest("'tool_choice' asks for a tool, and 'tools' has none", param="tool_choice")
    return ToolChoice(mode="required" if tools else "auto", is_parallel=is_parallel)


def _named(wire: ToolChoiceWire, wires: Sequence[ToolWire], tools: Sequence[Tool], is_parallel: bool) -> ToolChoice:
    if wire.name is None:
        raise InvalidRequest("'tool_choice.name' is required", param="tool_choice.name")
    if any(tool.name == wire.name for tool in tools):
        return ToolChoice(mode="required", name=wire.name, is_parallel=is_parallel)
    if any(tool.name == wire.name for tool in wires):
        return ToolChoice(is_parallel=is_parallel)
    raise InvalidRequest(f"'tool_choice.name': 'tools' has no {wire.name!r}", param="tool_choice.name")


def _tool(wire: ToolWire, path: str) -> Tool | None:
    is_strict = bool(wire.strict)
    if wire.type is not None and wire.type != "custom":
        known = client_tool(wire.type)
        if known is None:
            return None
        return Tool(
            name=wire.name or known.name,
            description=known.description,
            parameters=known.parameters,
            is_strict=is_strict,
        )
    for field in ("name", "input_schema"):
        if getattr(wire, field) is None:
            raise InvalidRequest(f"'{path}.{field}' is required", param=f"{path}.{field}")
    assert wire.name is not None
    return Tool(
        name=wire.name,
        description=wire.description or "",
        parameters=wire.input_schema or {},
        is_strict=is_strict,
    )

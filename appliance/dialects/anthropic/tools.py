"""Tools: those with a schema of their own, and which of them are called."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from appliance.core.request import Tool, ToolChoice
from appliance.errors import InvalidRequest


class ToolWire(msgspec.Struct, frozen=True, kw_only=True):
    """One tool. A type other than `custom` names one that Anthropic's models know without a schema."""

    name: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None

    @property
    def is_custom(self) -> bool:
        """Whether it comes with a schema, as tools do that any model can be told of."""
        return self.type is None or self.type == "custom"


class ToolChoiceWire(msgspec.Struct, frozen=True, kw_only=True):
    """The field `tool_choice`."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


def tools_of(wires: Sequence[ToolWire]) -> tuple[Tool, ...]:
    """Return the tools that the model is told of. Raises: InvalidRequest, also for one without a schema."""
    found = [_tool(wire, f"tools[{i}]") for i, wire in enumerate(wires)]
    names = [tool.name for tool in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidRequest(f"'tools' holds {twice!r} twice; each tool needs a name of its own", param="tools")
    return tuple(found)


def tool_choice_of(wire: ToolChoiceWire | None, tools: Sequence[Tool]) -> ToolChoice:
    """Return which tools are called. Raises: InvalidRequest."""
    if wire is None:
        return ToolChoice()
    is_parallel = not wire.disable_parallel_tool_use
    if wire.type == "none":
        return ToolChoice(mode="none")
    if wire.type == "auto":
        return ToolChoice(is_parallel=is_parallel)
    if wire.type == "tool":
        return _named(wire, tools, is_parallel)
    if not tools:
        raise InvalidRequest("'tool_choice' asks for a tool, and 'tools' has none", param="tool_choice")
    return ToolChoice(mode="required", is_parallel=is_parallel)


def _named(wire: ToolChoiceWire, tools: Sequence[Tool], is_parallel: bool) -> ToolChoice:
    if wire.name is None:
        raise InvalidRequest("'tool_choice.name' is required", param="tool_choice.name")
    if any(tool.name == wire.name for tool in tools):
        return ToolChoice(mode="required", name=wire.name, is_parallel=is_parallel)
    raise InvalidRequest(f"'tool_choice.name': 'tools' has no {wire.name!r}", param="tool_choice.name")


def _tool(wire: ToolWire, path: str) -> Tool:
    if not wire.is_custom:
        raise InvalidRequest(
            f"'{path}' is a {wire.type!r}, which nothing here runs; leave it out", param=f"{path}.type"
        )
    for field in ("name", "input_schema"):
        if getattr(wire, field) is None:
            raise InvalidRequest(f"'{path}.{field}' is required", param=f"{path}.{field}")
    assert wire.name is not None
    return Tool(
        name=wire.name,
        description=wire.description or "",
        parameters=wire.input_schema or {},
        is_strict=bool(wire.strict),
    )

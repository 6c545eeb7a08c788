"""`tools` and `tool_choice`, and what they were before: `functions` and `function_call`."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from appliance.core.request import Tool, ToolChoice
from appliance.dialects.custom_tools import custom_tool
from appliance.errors import InvalidRequest

from .constraints import GrammarFormat, GrammarText, TextFormat

ToolName = Annotated[str, Meta(min_length=1, max_length=256)]
MAX_TOOLS = 512


class FunctionWire(msgspec.Struct, frozen=True, kw_only=True):
    """A function as it is described to the model."""

    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """A tool that takes JSON."""

    function: FunctionWire


class CustomWire(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that takes text, as it is described to the model."""

    name: ToolName
    description: str | None = None
    format: TextFormat | GrammarFormat | None = None


class CustomTool(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="custom"):
    """A tool that takes text."""

    custom: CustomWire


ToolWire = FunctionTool | CustomTool
Tools = Annotated[list[ToolWire], Meta(max_length=MAX_TOOLS)]
Functions = Annotated[list[FunctionWire], Meta(max_length=MAX_TOOLS)]


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A tool by its name."""

    name: str


class NamedFunction(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """This function is called."""

    function: Named

    @property
    def tool(self) -> str:
        """The tool's name."""
        return self.function.name


class NamedCustom(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="custom"):
    """This custom tool is called."""

    custom: Named

    @property
    def tool(self) -> str:
        """The tool's name."""
        return self.custom.name


class AllowedSet(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the tools."""

    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedFunction | NamedCustom], Meta(min_length=1)]


class AllowedTools(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="allowed_tools"):
    """Only some of the tools may be called."""

    allowed_tools: AllowedSet


Choice = Literal["auto", "none", "required"] | NamedFunction | NamedCustom | AllowedTools
FunctionChoice = Literal["auto", "none"] | Named


Offer = tuple[tuple[Tool, ...], ToolChoice]
"""The tools that the model is told of, and how it is to use them."""


def tools_of(tools: Sequence[ToolWire], choice: Choice | None, is_parallel: bool) -> Offer:
    """Return what `tools` and `tool_choice` offer. Raises: InvalidRequest, for a tool that nobody defined."""
    known = {tool.name: tool for tool in map(_tool, tools)}
    if isinstance(choice, AllowedTools):
        allowed, mode = choice.allowed_tools.tools, choice.allowed_tools.mode
        for i, each in enumerate(allowed):
            _check_known(each.tool, known, f"tool_choice.allowed_tools.tools[{i}]")
        known = {each.tool: known[each.tool] for each in allowed}
        asked = ToolChoice(mode=mode, is_parallel=is_parallel)
    elif isinstance(choice, NamedFunction | NamedCustom):
        _check_known(choice.tool, known, "tool_choice")
        asked = ToolChoice(mode="required", name=choice.tool, is_parallel=is_parallel)
    else:
        if choice == "required" and not known:
            raise InvalidRequest("'tool_choice' is 'required', and there are no 'tools'", param="tool_choice")
        asked = ToolChoice(mode=choice or "auto", is_parallel=is_parallel)
    return tuple(known.values()), asked


def functions_of(functions: Sequence[FunctionWire], choice: FunctionChoice | None) -> Offer:
    """Return what `functions` and `function_call` offer, of which one is called at a time. Raises: InvalidRequest."""
    known = {function.name: _function(function) for function in functions}
    if isinstance(choice, Named):
        _check_known(choice.name, known, "function_call")
        asked = ToolChoice(mode="required", name=choice.name, is_parallel=False)
    else:
        asked = ToolChoice(mode=choice or "auto", is_parallel=False)
    return tuple(known.values()), asked


def names_of_custom(tools: Sequence[ToolWire]) -> frozenset[str]:
    """Return which of the tools take text."""
    return frozenset(tool.custom.name for tool in tools if isinstance(tool, CustomTool))


def _check_known(name: str, known: dict[str, Tool], param: str) -> None:
    if name not in known:
        raise InvalidRequest(f"'{param}' names {name!r}, which is not among the tools of this request", param=param)


def _tool(wire: ToolWire) -> Tool:
    if isinstance(wire, FunctionTool):
        return _function(wire.function)
    custom = wire.custom
    if not isinstance(custom.format, GrammarFormat):
        return custom_tool(custom.name, custom.description or "")
    written = custom.format.grammar
    if isinstance(written, GrammarText) and written.syntax == "regex":
        return custom_tool(custom.name, custom.description or "", pattern=written.definition)
    grammar = written if isinstance(written, str) else written.definition
    return custom_tool(custom.name, custom.description or "", grammar=grammar)


def _function(wire: FunctionWire) -> Tool:
    return Tool(
        name=wire.name,
        description=wire.description or "",
        parameters=wire.parameters or {},
        is_strict=bool(wire.strict),
    )

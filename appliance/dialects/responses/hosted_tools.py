"""Tools that only a provider's own servers run. Clients such as Codex send them whatever they talk to."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from .request import PromptRequest

OFFERED = ("function", "custom", "namespace")
_CHOICES = ("function", "custom", "allowed_tools")


def without_hosted_tools(wire: PromptRequest) -> PromptRequest:
    """Return a request without web search, shells, MCP servers and the like; a choice of one is left to the model."""
    tools = _kept(wire.tools or ())
    if tools == (wire.tools or []):
        return wire
    choice = wire.tool_choice
    is_hosted = isinstance(choice, dict) and choice.get("type") not in _CHOICES
    return replace(wire, tools=tools, tool_choice="auto" if is_hosted else choice)


def _kept(tools: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_inside(tool) for tool in tools if tool.get("type") in OFFERED]


def _inside(tool: dict[str, Any]) -> dict[str, Any]:
    members = tool.get("tools")
    if tool.get("type") != "namespace" or not isinstance(members, list):
        return tool
    return {**tool, "tools": _kept([member for member in members if isinstance(member, dict)])}

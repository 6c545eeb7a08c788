"""What agents send to Anthropic's API that other models have no place for, as they have one: reminders and tools."""

from msgspec.structs import replace

from .client_tools import client_tool
from .content import MessageWire, texts_of
from .messages import PromptFields, num_leading_system
from .tools import ToolChoiceWire, ToolWire

_REMINDER = "<system-reminder>\n{}\n</system-reminder>"


def with_reminders(wire: PromptFields) -> PromptFields:
    """Return a request in which a system message between turns is said by the user, in the tags that agents use.

    Claude Code sends one in each session; the templates of Qwen3.5, Mistral and others refuse one that is not the
    first. Raises: InvalidRequest, where it cannot be read.
    """
    first = num_leading_system(wire)
    if all(message.role != "system" for message in wire.messages[first:]):
        return wire
    turns = [_reminder(message, f"messages[{i}].content") for i, message in enumerate(wire.messages)]
    return replace(wire, messages=[*wire.messages[:first], *turns[first:]])


def with_client_tools(wire: PromptFields) -> PromptFields:
    """Return a request in which the tools that Anthropic's models know by heart have their schemas."""
    tools = [_described(tool) for tool in wire.tools or ()]
    return replace(wire, tools=tools) if tools != (wire.tools or []) else wire


def without_server_tools(wire: PromptFields) -> PromptFields:
    """Return a request without the tools that Anthropic's servers run (web search, code execution, MCP) or that need
    eyes. Where one of them was asked for, the model does as it wants: clients go on without."""
    given = wire.tools or []
    kept = [tool for tool in given if tool.is_custom]
    if len(kept) == len(given):
        return wire
    choice = wire.tool_choice
    if choice and _is_of_the_others(choice, given, kept):
        choice = replace(choice, type="auto", name=None)
    return replace(wire, tools=kept, tool_choice=choice)


def _reminder(message: MessageWire, path: str) -> MessageWire:
    if message.role != "system":
        return message
    return MessageWire(role="user", content=_REMINDER.format("\n".join(texts_of(message.content, path))))


def _described(tool: ToolWire) -> ToolWire:
    known = None if tool.is_custom else client_tool(str(tool.type))
    if known is None:
        return tool
    return replace(
        tool,
        type="custom",
        name=tool.name or known.name,
        description=known.description,
        input_schema=known.parameters,
    )


def _is_of_the_others(choice: ToolChoiceWire, given: list[ToolWire], kept: list[ToolWire]) -> bool:
    if choice.type == "any":
        return not kept
    if choice.type != "tool" or choice.name is None:
        return False
    return _has(choice.name, given) and not _has(choice.name, kept)


def _has(name: str, tools: list[ToolWire]) -> bool:
    return any(tool.name == name for tool in tools)

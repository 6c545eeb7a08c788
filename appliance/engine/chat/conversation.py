"""Writes a conversation in the form in which one template reads it; what the template does not know becomes text.

A template without tools gets them described in the system's message, in the generic family's format: calls as JSON in
`<tool_call>`, results in `<tool_response>`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from appliance.core.request import ChatPrompt, Message, Reasoning, Tool, ToolCall
from appliance.errors import InvalidRequest

from .abilities import Abilities, with_parts
from .syntax import Family
from .values import to_json
from .written_calls import write_calls

_INSTRUCTIONS = """You can call functions. These are described as JSON, one in each line:
<tools>
{tools}
</tools>
To call a function, write nothing but this, with its name and its arguments, one block for each call:
<tool_call>
{{"name": "...", "arguments": {{...}}}}
</tool_call>
What it returns comes to you in <tool_response>."""

_EFFORTS = {"minimal": "low", "xhigh": "high"}
_SWITCHES = ("enable_thinking", "thinking", "enable_reasoning")

Variables = dict[str, Any]


def as_variables(prompt: ChatPrompt, abilities: Abilities, family: Family) -> tuple[list[Variables], list[Variables]]:
    """Return the messages and the tools as the template is given them."""
    messages: Sequence[Message] = _with_names(prompt.messages)
    tools = [_tool(tool) for tool in called_tools(prompt)]
    if tools and not abilities.tools:
        messages, tools = _told(_described(tools), messages), []
    if not abilities.calls:
        messages = [_with_written_calls(message, family) for message in messages]
    if not abilities.results:
        messages = _with_written_results(messages)
    if not abilities.several_calls:
        messages = _one_by_one(messages)
    if not abilities.system:
        messages = _without_system(messages)
    if family.has_channels:
        messages = [_with_one_channel(message) for message in messages]
    written = [_message(message, abilities) for message in messages]
    return ([with_parts(each) for each in written] if abilities.has_parts else written), tools


def called_tools(prompt: ChatPrompt) -> tuple[Tool, ...]:
    """Return the tools that may be called; none where the caller wants no calls. Raises: InvalidRequest."""
    choice = prompt.tool_choice
    if choice.mode == "none":
        return ()
    if choice.mode == "required" and not prompt.tools:
        raise InvalidRequest("a tool has to be called, and there are none in 'tools'", param="tool_choice")
    if choice.name is not None and all(tool.name != choice.name for tool in prompt.tools):
        raise InvalidRequest(f"the tool {choice.name!r} has to be called, and is not in 'tools'", param="tool_choice")
    return prompt.tools


def thinking_variables(reasoning: Reasoning, source: str) -> Variables:
    """Return what tells the template how much to think, for the variables that its source reads."""
    effort = "none" if reasoning.max_tokens == 0 else reasoning.effort
    variables: Variables = {}
    if effort is not None:
        variables |= dict.fromkeys(_SWITCHES, effort != "none")
        knows_none = "'none'" in source or '"none"' in source
        variables["reasoning_effort"] = _EFFORTS.get(effort, effort) if effort != "none" or knows_none else "low"
    if reasoning.max_tokens is not None:
        variables["thinking_budget"] = reasoning.max_tokens
    return variables


def _with_names(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with the name of its function in each result."""
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    return [
        msgspec.structs.replace(message, name=names.get(message.tool_call_id or ""))
        if message.role == "tool" and message.name is None
        else message
        for message in messages
    ]


def _described(tools: Sequence[Variables]) -> str:
    return _INSTRUCTIONS.format(tools="\n".join(to_json(tool["function"]) for tool in tools))


def _told(instructions: str, messages: Sequence[Message]) -> list[Message]:
    """Return the messages with instructions in the system's, which is made if there is none."""
    first = messages[0] if messages else None
    if first is not None and first.role == "system":
        return [msgspec.structs.replace(first, content=f"{first.content}\n\n{instructions}"), *messages[1:]]
    return [Message(role="system", content=instructions), *messages]


def _with_written_calls(message: Message, family: Family) -> Message:
    if not message.tool_calls:
        return message
    said = [message.content] if message.content else []
    return msgspec.structs.replace(
        message, content="\n".join([*said, write_calls(family, message.tool_calls)]), tool_calls=()
    )


def _with_one_channel(message: Message) -> Message:
    """Return the message with what was said before a call as a thought: templates of harmony take one or the other."""
    if not (message.tool_calls and message.reasoning and message.content):
        return message
    return msgspec.structs.replace(message, content="", reasoning=f"{message.reasoning}\n\n{message.content}")


def _with_written_results(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with results as what the user says, those that follow each other as one message."""
    written: list[Message] = []
    is_result = False
    for message in messages:
        if message.role != "tool":
            written.append(message)
            is_result = False
            continue
        block = f"<tool_response>\n{message.content}\n</tool_response>"
        if is_result:
            block = f"{written.pop().content}\n{block}"
        written.append(Message(role="user", content=block))
        is_result = True
    return written


def _one_by_one(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with a message for each call, before the result that answers it."""
    written: list[Message] = []
    results = {message.tool_call_id: message for message in messages if message.role == "tool"}
    moved: set[str | None] = set()
    for message in messages:
        if len(message.tool_calls) < 2:
            if message.role != "tool" or message.tool_call_id not in moved:
                written.append(message)
            continue
        for call in message.tool_calls:
            written.append(
                msgspec.structs.replace(
                    message, content="" if call != message.tool_calls[0] else message.content, tool_calls=(call,)
                )
            )
            if call.id in results:
                written.append(results[call.id])
                moved.add(call.id)
    return written


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with what the system says at the head of the user's next words."""
    written: list[Message] = []
    said: list[str] = []
    for message in messages:
        if message.role == "system":
            said.append(message.content)
        elif message.role == "user" and said:
            written.append(msgspec.structs.replace(message, content="\n\n".join([*said, message.content])))
            said = []
        else:
            written.append(message)
    return [*written, Message(role="user", content="\n\n".join(said))] if said else written


def _message(message: Message, abilities: Abilities) -> Variables:
    variables: Variables = {"role": message.role, "content": message.content}
    if message.name is not None:
        variables["name"] = message.name
    if message.reasoning is not None:
        # Each family's template has its own name for it.
        variables |= dict.fromkeys(("reasoning_content", "reasoning", "thinking"), message.reasoning)
    if message.tool_calls:
        variables["tool_calls"] = [_call(call, abilities) for call in message.tool_calls]
    if message.tool_call_id is not None:
        variables["tool_call_id"] = _call_id(message.tool_call_id, abilities)
    return variables


def _tool(tool: Tool) -> Variables:
    function: Variables = {"name": tool.name, "description": tool.description}
    function["parameters"] = tool.parameters or {"type": "object", "properties": {}}
    return {"type": "function", "function": function}


def _call(call: ToolCall, abilities: Abilities) -> Variables:
    arguments: Any = call.arguments or "{}"
    if abilities.maps_arguments:
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            arguments = {"arguments": call.arguments}  # the model wrote no JSON, and has to see that it did not
        if not isinstance(arguments, Mapping):
            arguments = {"arguments": arguments}
    return {
        "id": _call_id(call.id, abilities),
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _call_id(call_id: str, abilities: Abilities) -> str:
    if not abilities.has_short_ids or (len(call_id) == 9 and call_id.isalnum()):
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()[:9]

"""When an answer of the embedded model is right. Pure; knows neither the questions nor who answered them."""

import json
import re

_COMMAND = re.compile(r"`((?:appliance|sh|curl|cat)(?:\s[^`]*)?)`")
_TOOL_CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)


def commands_in(answer: str) -> tuple[str, ...]:
    """Return the commands that an answer shows in backticks, in its order. `appliance.toml` is no command."""
    return tuple(_COMMAND.findall(answer))


def is_right(expected: str, answer: str) -> bool:
    """Say whether `answer` shows exactly the commands of `expected`; where there are none, it has to be the same.

    JSON and tool calls are the same when their values are, however they are spaced and ordered.
    """
    commands = commands_in(expected)
    if commands or commands_in(answer):
        return commands_in(answer) == commands
    return _meaning(answer) == _meaning(expected)


def _meaning(text: str) -> object:
    text = text.strip()
    calls = _TOOL_CALL.findall(text)
    if calls:
        return _TOOL_CALL.sub("", text).strip(), [_value(call) for call in calls]
    return _value(text) if text.startswith(("{", "[")) else text


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()

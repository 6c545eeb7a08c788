"""Which schemas of tools a grammar can enforce. A strict one that cannot be is refused, any other then allows all."""

from collections.abc import Sequence
from functools import lru_cache

import msgspec
from llguidance import LLMatcher

from appliance.core.request import JsonSchema, Tool, ToolChoice
from appliance.errors import InvalidRequest

from .grammar_source import checked_schema, refused_schema, schema_source


def enforceable(tools: Sequence[Tool], choice: ToolChoice) -> list[Tool]:
    """Return the tools that may be called, with schemas that a grammar can enforce.

    Raises: InvalidRequest, for schemas that cannot be and have to be: strict ones, and those of forced calls.
    """
    is_forced = choice.mode == "required"
    return [
        msgspec.structs.replace(tool, parameters=_schema_of(tool, index, is_needed=is_forced or tool.is_strict))
        for index, tool in enumerate(tools)
        if choice.name in (None, tool.name)
    ]


def _schema_of(tool: Tool, index: int, *, is_needed: bool) -> dict[str, object]:
    if not tool.parameters:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    param = f"tools[{index}]"
    try:
        checked = checked_schema(JsonSchema(schema={**tool.parameters, "type": "object"}, param=param))
        problem = _problem(schema_source(checked))
    except InvalidRequest:
        if is_needed:
            raise
        return {"type": "object"}
    if problem and is_needed:
        raise refused_schema(param, "#", problem)
    return {"type": "object"} if problem or not isinstance(checked, dict) else checked


@lru_cache(maxsize=256)
def _problem(source: str) -> str:
    return LLMatcher.validate_grammar(source)

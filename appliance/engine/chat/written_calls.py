"""Writes calls of earlier turns as the family would have, for templates that show tools but no calls. Pure."""

import json
from collections.abc import Sequence

from appliance.core.request import ToolCall

from .families import GENERIC
from .syntax import Calls, Family, JsonShape, NamedShape, PythonShape
from .values import to_json


def write_calls(family: Family, calls: Sequence[ToolCall]) -> str:
    """Return the calls as text; in the generic form where the family's own would need the tools' schemas."""
    own = family.calls[0] if family.calls else None
    written = own if own is not None and own.open and _is_written(own) else GENERIC.calls[0]
    bodies = [_body(written, call) for call in calls]
    if written.between is None:
        bodies = [f"{written.open}{written.before_first}{body}{written.after_last}{written.close}" for body in bodies]
        return written.pair_separator.join(bodies)
    inner = written.between.join(bodies)
    return f"{written.open}{written.before_first}{inner}{written.after_last}{written.close}"


def _is_written(calls: Calls) -> bool:
    return isinstance(calls.shape, (JsonShape, NamedShape, PythonShape))


def _body(calls: Calls, call: ToolCall) -> str:
    arguments = call.arguments or "{}"
    if isinstance(calls.shape, JsonShape):
        return f'{{"{calls.shape.name_key}": {to_json(call.name)}, "{calls.shape.arguments_key}": {arguments}}}'
    if isinstance(calls.shape, NamedShape):
        return f"{calls.shape.before}{call.name}{calls.shape.after}{arguments}{''.join(calls.shape.end)}"
    try:
        fields = json.loads(arguments).items()
    except (ValueError, AttributeError, RecursionError):
        fields = {"arguments": arguments}.items()
    return f"{call.name}({', '.join(f'{key}={value!r}' for key, value in fields)})"

"""Turns arguments that models write without JSON's quotes into JSON, by what the tool's schema says of them. Pure."""

import ast
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class TextEscaper:
    """Writes text as the inside of a JSON string."""

    def __init__(self, sink: Callable[[str], None]) -> None:
        self._sink = sink

    def write(self, text: str) -> None:
        """Pass the text on, escaped."""
        self._sink(json.dumps(text, ensure_ascii=False)[1:-1])


@contextmanager
def quiet_python() -> Iterator[None]:
    """Let Python read what a model wrote without warning of its style on the worker's log."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def type_names(schema: Any) -> frozenset[str] | None:
    """Return the JSON types that a schema allows; None where it does not say."""
    if not isinstance(schema, Mapping):
        return None
    named = schema.get("type")
    if isinstance(named, str):
        return frozenset({named})
    if isinstance(named, list):
        return frozenset(name for name in named if isinstance(name, str))
    if isinstance(schema.get("enum"), list):
        return frozenset(_type_of(value) for value in schema["enum"])
    if "const" in schema:
        return frozenset({_type_of(schema["const"])})
    options = schema.get("anyOf") or schema.get("oneOf")
    if not isinstance(options, list) or not options:
        return None
    allowed = [type_names(option) for option in options]
    return None if None in allowed else frozenset[str]().union(*(names for names in allowed if names))


def says_text(allowed: frozenset[str] | None) -> bool:
    """Return whether a value can be nothing but text."""
    return allowed == frozenset({"string"})


def to_json(value: Any) -> str:
    """Return the value as JSON that can be sent: characters stand as they are, but for halves of a pair."""
    text = json.dumps(value, ensure_ascii=False)
    return (
        text
        if text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
        else json.dumps(value)
    )


def as_json(text: str, allowed: frozenset[str] | None) -> str:
    """Return the value that the text stands for as JSON: what it reads as, where that is allowed, else the text."""
    stripped = text.strip()
    try:
        if _is_allowed(json.loads(stripped, parse_constant=_refuse), allowed):
            return stripped
    except (ValueError, RecursionError):
        value = _python_value(stripped)
        if value is not _TEXT and _is_allowed(value, allowed):
            return to_json(value)
    return to_json(text)


_TEXT = object()


def _python_value(text: str) -> Any:
    """Return what a model meant that writes its values as Python does."""
    if text not in ("True", "False", "None") and not text.startswith(("[", "{")):
        return _TEXT
    try:
        with quiet_python():
            value = ast.literal_eval(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return _TEXT
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _is_allowed(value: Any, allowed: frozenset[str] | None) -> bool:
    name = _type_of(value)
    return allowed is None or name in allowed or (name == "integer" and "number" in allowed)


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"

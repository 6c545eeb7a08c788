"""The grammar of one call in each shape: what the readers in `calls.py` read, as it is best written. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from appliance.core.request import Tool

from .lark import Lark, either, joined
from .syntax import BracedShape, JsonShape, NamedShape, PythonShape, Shape, TaggedShape
from .values import says_text, to_json, type_names

_ANY_OBJECT: Mapping[str, Any] = {"type": "object"}
_KEY = r"/[A-Za-z0-9_.-]+/"
_NOTHING = '""'
_MAX_DEPTH = 8


def call_rule(lark: Lark, shape: Shape, tool: Tool) -> str:
    """Return what matches a call of the tool, with arguments that obey its schema."""
    schema = tool.parameters or _ANY_OBJECT
    if isinstance(shape, JsonShape):
        head = f'{{"{shape.name_key}": {to_json(tool.name)}, "{shape.arguments_key}": '
        return joined(lark.literal(head), lark.json(schema), lark.literal("}"))
    if isinstance(shape, NamedShape):
        head = lark.literal(f"{shape.before}{tool.name}{shape.after}")
        return joined(head, lark.json(schema), lark.literal("".join(shape.end)))
    if isinstance(shape, TaggedShape):
        return _tagged(lark, shape, tool.name, schema)
    if isinstance(shape, BracedShape):
        return joined(lark.literal(f"{shape.before}{tool.name}"), _Braced(lark, shape.quote).value(schema, _MAX_DEPTH))
    assert isinstance(shape, PythonShape)
    return _python(lark, tool.name, schema)


def _python(lark: Lark, name: str, schema: Mapping[str, Any]) -> str:
    def argument(key: str, inner: Any) -> str:
        return joined(lark.literal(f"{key}="), lark.json(_part(schema, inner)))

    return joined(lark.literal(f"{name}("), _members(lark, schema, ", ", argument), lark.literal(")"))


def _tagged(lark: Lark, shape: TaggedShape, name: str, schema: Mapping[str, Any]) -> str:
    line = "" if shape.name_ends[0] == "\n" else "\n"
    head = lark.literal(f"{shape.name_open}{name}{shape.name_ends[0]}{line}")
    required = schema.get("required") or ()
    arguments = []
    for key, inner in _properties(schema).items():
        value = _part(schema, inner)
        key_close = (says_text(type_names(value)) and shape.text_close) or shape.key_close
        opened = lark.literal(f"{shape.key_open}{key}{key_close}{_value_open(shape)}")
        argument = joined(opened, _tagged_value(lark, shape, value))
        arguments.append(argument if key in required else f"({argument})?")
    if "properties" not in schema:
        opened = joined(
            lark.literal(shape.key_open),
            _KEY,
            lark.literal(f"{shape.text_close or shape.key_close}{_value_open(shape)}"),
        )
        arguments.append(f"({joined(opened, _tagged_value(lark, shape, {'type': 'string'}))})*")
    return joined(head, *arguments, lark.literal(shape.call_close))


def _value_open(shape: TaggedShape) -> str:
    opened = f"\n{shape.value_open}" if shape.value_open else ""
    return f"{opened}\n" if shape.has_lines else opened


def _tagged_value(lark: Lark, shape: TaggedShape, schema: Mapping[str, Any]) -> str:
    end = lark.literal(f"\n{shape.value_close}\n" if shape.has_lines else f"{shape.value_close}\n")
    if not says_text(type_names(schema)):
        return joined(lark.json(schema), end)
    texts = [text for text in schema.get("enum") or () if isinstance(text, str)]
    if texts:
        return joined(either(*map(lark.literal, texts)), end)
    return joined(lark.until(shape.value_close), lark.literal("\n"))


class _Braced:
    """Values whose keys stand bare and whose texts stand between quotes of the family's own."""

    def __init__(self, lark: Lark, quote: str) -> None:
        self._lark = lark
        self._quote = quote

    def value(self, schema: Mapping[str, Any], depth: int) -> str:
        lark, names = self._lark, type_names(schema)
        if names == frozenset({"object"}) or (names is None and "properties" in schema):
            return self._object(schema, depth)
        if names == frozenset({"array"}) and depth:
            item = schema.get("items")
            inner = self.value(_part(schema, item) if isinstance(item, Mapping) else {}, depth - 1)
            return f"{lark.literal('[')} ({inner} ({lark.literal(',')} {inner})*)? {lark.literal(']')}"
        if says_text(names):
            texts = [text for text in schema.get("enum") or () if isinstance(text, str)]
            if texts:
                return either(*(lark.literal(f"{self._quote}{text}{self._quote}") for text in texts))
            return joined(lark.literal(self._quote), lark.until(self._quote))
        if names is not None and names <= {"integer", "number", "boolean", "null"}:
            return lark.json(schema)
        plain = lark.json({"type": ["number", "boolean", "null"]})
        return either(plain, joined(lark.literal(self._quote), lark.until(self._quote)))

    def _object(self, schema: Mapping[str, Any], depth: int) -> str:
        lark = self._lark
        if "properties" not in schema or not depth:
            value = self.value({}, 0)
            pair = joined(_KEY, lark.literal(":"), value)
            return f"{lark.literal('{')} ({pair} ({lark.literal(',')} {pair})*)? {lark.literal('}')}"

        def member(key: str, inner: Any) -> str:
            return joined(lark.literal(f"{key}:"), self.value(_part(schema, inner), depth - 1))

        members = _members(lark, schema, ",", member)
        return joined(lark.literal("{"), members, lark.literal("}"))


def _members(lark: Lark, schema: Mapping[str, Any], separator: str, write: Callable[[str, Any], str]) -> str:
    """Return what matches the properties in their order, those that are required for sure, with separators between."""
    required = schema.get("required") or ()
    after_none, after_some = "", ""
    for key, inner in reversed(list(_properties(schema).items())):
        member = write(key, inner)
        alone, following = joined(member, after_some), joined(lark.literal(separator), member, after_some)
        if key in required:
            after_none, after_some = alone, following
        else:
            after_none = lark.rule(f"{alone} | {after_none or _NOTHING}")
            after_some = lark.rule(f"{following} | {after_some or _NOTHING}")
    return after_none


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _part(schema: Mapping[str, Any], inner: Any) -> Mapping[str, Any]:
    """Return a part of a schema as one of its own: it may refer to definitions of the whole."""
    if not isinstance(inner, Mapping):
        return {}
    shared = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    return {**shared, **inner}

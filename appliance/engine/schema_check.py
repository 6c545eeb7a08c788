"""What a JSON schema must not be before it becomes a grammar: too large, too deep, without end. Pure.

Finds the place inside it, as a JSON pointer such as `#/properties/name`.
"""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

Schema = dict[str, Any] | bool

MAX_SCHEMA_BYTES = 2**20
MAX_DEPTH = 100  # the grammar library reads 128 levels of JSON
MAX_VALUES = 50_000
MAX_PROPERTIES = 2_000  # of one object: what the library does with optional ones grows with their square, 0.2 s here

MAX_EXACT_INTEGER = 2**53  # the grammar library reads numbers as 64-bit floats
MAX_LEAST = 100_000  # of what an answer must at least have of anything: longer ones fit into hardly any context

_COUNTS = ("minLength", "minItems", "minProperties")
_MAPS = ("properties", "patternProperties", "$defs", "definitions")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties")
_SCALARS = frozenset({"string", "number", "integer", "boolean", "null"})
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"}
)  # those that the library enforces
_DIALECTS = ("http://json-schema.org/", "https://json-schema.org/")
_BARE_REFERENCES = ("/$defs/", "/definitions/")
_MAX_VISITS = 20_000
_MAX_REFERENCES = 100


class Refused(Exception):
    """A schema that cannot be used: `path` says which part of it, `reason` why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def check_size(schema: Schema) -> None:
    """Raise `Refused` where the schema has more than can be compiled in a moment. Never recurses."""
    pending: list[tuple[Any, str, int]] = [(schema, "#", 0)]
    num_values = 0
    while pending:
        value, path, depth = pending.pop()
        num_values += 1
        if depth > MAX_DEPTH:
            raise Refused(_shortened(path), f"it is nested more than {MAX_DEPTH} levels deep")
        if num_values > MAX_VALUES:
            raise Refused("#", f"it holds more than {MAX_VALUES} values; describe less of the answer")
        if isinstance(value, dict):
            if path.endswith("/properties") and len(value) > MAX_PROPERTIES:
                raise Refused(path, f"an object may have {MAX_PROPERTIES} properties, not {len(value)}")
            pending += [(child, f"{path}/{_escaped(name)}", depth + 1) for name, child in value.items()]
        elif isinstance(value, int) and abs(value) > MAX_EXACT_INTEGER and ("/enum/" in path or "/const" in path):
            raise Refused(path, f"{value} is past 2^53, where not every integer can be told from the next")
        elif isinstance(value, list):
            pending += [(child, f"{path}/{index}", depth + 1) for index, child in enumerate(value)]


def check_counts(schema: Schema) -> None:
    """Raise `Refused` where more is asked for than an answer can hold. For schemas that passed `check_size`."""
    pending = [("#", schema)]
    while pending:
        path, part = pending.pop()
        for keyword in _COUNTS:
            least = part.get(keyword) if isinstance(part, dict) else None
            if isinstance(least, int) and least > MAX_LEAST:
                raise Refused(path, f"{keyword} is {least}, and no answer is that long; ask for {MAX_LEAST} at most")
        pending += [(path + step, child) for step, child in subschemas(part)]


def subschemas(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the schemas directly inside this one, each with the end of its pointer."""
    if isinstance(schema, bool):
        return
    for keyword in _MAPS:
        entries = schema.get(keyword)
        if isinstance(entries, dict):
            yield from ((f"/{keyword}/{_escaped(name)}", child) for name, child in entries.items() if _is(child))
    for keyword in _LISTS:
        entries = schema.get(keyword)
        if isinstance(entries, list):
            yield from ((f"/{keyword}/{index}", child) for index, child in enumerate(entries) if _is(child))
    for keyword in _SINGLE:
        if _is(schema.get(keyword)):
            yield f"/{keyword}", schema[keyword]


def without_remarks(schema: Schema) -> Schema:
    """Return the schema without formats that nobody enforces and dialects that nobody knows: mere remarks.

    A local reference gets its `#` where it lacks it: LiteLLM cuts it off on its way to Anthropic's API.
    """
    if isinstance(schema, bool):
        return schema
    tidy = dict(schema)
    if isinstance(named := tidy.get("format"), str) and named not in _FORMATS:
        del tidy["format"]
    if not str(tidy.get("$schema", "")).startswith(_DIALECTS):
        tidy.pop("$schema", None)
    if str(reference := tidy.get("$ref")).startswith(_BARE_REFERENCES):
        tidy["$ref"] = f"#{reference}"
    return _changed_inside(tidy, without_remarks)


def closed(schema: Schema) -> Schema:
    """Return the schema with no more keys in its objects than they list, unless it says otherwise itself.

    JSON Schema allows further keys where nothing is said, and a model that may write any key writes keys without end.
    Left alone is a schema that puts objects together from parts: closed parts could contradict each other.
    """
    return schema if any(_is_mixed(part) for part in _parts(schema)) else _closed(schema)


def _parts(schema: Schema) -> Iterator[Schema]:
    pending = [schema]
    while pending:
        part = pending.pop()
        yield part
        pending += [child for _, child in subschemas(part)]


def _is_mixed(part: Schema) -> bool:
    if isinstance(part, bool):
        return False
    return "allOf" in part or ("properties" in part and any(keyword in part for keyword in ("anyOf", "oneOf", "$ref")))


def _closed(schema: Schema) -> Schema:
    if isinstance(schema, bool):
        return schema
    tight = dict(schema)
    if isinstance(tight.get("properties"), dict) and not tight.keys() & {"additionalProperties", "patternProperties"}:
        tight["additionalProperties"] = False
    return _changed_inside(tight, _closed)


def _changed_inside(schema: dict[str, Any], change: Callable[[Schema], Schema]) -> dict[str, Any]:
    """Return the schema with every schema directly inside it changed."""

    def changed(value: Any) -> Any:
        return change(value) if _is(value) else value

    result = dict(schema)
    for keyword in result.keys() & set(_MAPS):
        if isinstance(entries := result[keyword], dict):
            result[keyword] = {name: changed(child) for name, child in entries.items()}
    for keyword in result.keys() & set(_LISTS):
        if isinstance(entries := result[keyword], list):
            result[keyword] = [changed(child) for child in entries]
    for keyword in result.keys() & set(_SINGLE):
        result[keyword] = changed(result[keyword])
    return result


def check_ends(schema: Schema) -> None:
    """Raise `Refused` where every answer would have to hold another one like it, and so on without end."""
    endless = _Endless(schema)
    if not endless.has_end(schema, "#", frozenset()):
        raise Refused(endless.found, "every answer would contain itself without end; let something here be left out")


class _Endless:
    """Looks for a finite value of a schema. Where that takes too long, it trusts that there is one."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._num_visits = 0
        self.found = "#"

    def has_end(self, schema: Schema, path: str, open_references: frozenset[str]) -> bool:
        """Return whether some value of the schema is finite, if none of the open references has one by itself."""
        self._num_visits += 1
        if isinstance(schema, bool) or self._num_visits > _MAX_VISITS:
            return True
        reference = schema.get("$ref")
        if isinstance(reference, str) and not self._reference_ends(reference, path, open_references):
            return False
        branches = [schema.get(keyword) for keyword in ("anyOf", "oneOf")]
        return (
            all(self._any_ends(branch, path, open_references) for branch in branches if isinstance(branch, list))
            and self._all_end(schema.get("allOf"), path, open_references)
            and self._type_ends(schema, path, open_references)
        )

    def _reference_ends(self, reference: str, path: str, open_references: frozenset[str]) -> bool:
        if reference in open_references:
            self.found = path
            return False
        target = resolve(self._root, reference)
        if target is None or len(open_references) > _MAX_REFERENCES:
            return True
        return self.has_end(target, reference, open_references | {reference})

    def _any_ends(self, schemas: list[Any], path: str, open_references: frozenset[str]) -> bool:
        return not schemas or any(self.has_end(s, path, open_references) for s in schemas if _is(s))

    def _all_end(self, schemas: object, path: str, open_references: frozenset[str]) -> bool:
        entries = schemas if isinstance(schemas, list) else []
        return all(self.has_end(s, path, open_references) for s in entries if _is(s))

    def _type_ends(self, schema: dict[str, Any], path: str, open_references: frozenset[str]) -> bool:
        """Return whether one of the schema's types has a finite value; a schema without types allows numbers."""
        named = schema.get("type")
        types = [named] if isinstance(named, str) else named
        if not isinstance(types, list) or not types or "enum" in schema or "const" in schema:
            return True
        if any(isinstance(each, str) and each in _SCALARS for each in types):
            return True
        ends = []
        if "object" in types:
            ends.append(self._object_ends(schema, path, open_references))
        if "array" in types:
            ends.append(self._array_ends(schema, path, open_references))
        return any(ends) or not ends

    def _object_ends(self, schema: dict[str, Any], path: str, open_references: frozenset[str]) -> bool:
        properties, required = schema.get("properties"), schema.get("required")
        if not isinstance(properties, dict) or not isinstance(required, list):
            return True
        needed = {name: properties[name] for name in required if isinstance(name, str) and _is(properties.get(name))}
        return all(
            self.has_end(schema, f"{path}/properties/{_escaped(name)}", open_references)
            for name, schema in needed.items()
        )

    def _array_ends(self, schema: dict[str, Any], path: str, open_references: frozenset[str]) -> bool:
        items = schema.get("items")
        if not schema.get("minItems") or not isinstance(items, dict):
            return True
        return self.has_end(items, f"{path}/items", open_references)


def resolve(root: Schema, reference: str) -> Schema | None:
    """Return the schema that a local reference such as `#/$defs/node` points at, None where it is not local.

    Source: RFC 6901.
    """
    if not reference.startswith("#"):
        return None
    value: Any = root
    for part in reference[1:].split("/")[1:]:
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value if _is(value) else None


def _is(value: object) -> bool:
    return isinstance(value, dict | bool)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _shortened(path: str) -> str:
    return path if len(path) <= 120 else f"{path[:60]}…{path[-40:]}"

"""From what a request asks of its answer to the text of a grammar. Checks sizes and syntax; compiles nothing."""

from typing import Any

import msgspec
from llguidance import LLMatcher, regex_to_lark

from appliance.core.request import Constraint, JsonSchema, Regex
from appliance.errors import InvalidRequest

from .gbnf import gbnf_to_lark
from .gbnf_words import BadGbnf
from .schema_check import (
    MAX_SCHEMA_BYTES,
    Refused,
    Schema,
    check_counts,
    check_ends,
    check_size,
    closed,
    without_remarks,
)

MAX_GRAMMAR_BYTES = 2**18
CONTENT_RULE = "content"

# One spelling of JSON, the one that models write when nobody asks for lines: names and punctuation are then forced
# and not sampled, and no answer is lost in endless white space.
_SPELLING = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
_OWN_CHOICES = ("lenient", "coerce_one_of", "whitespace_flexible")

# The library follows what is forced to its end, and of `/a+/ /a+/` it never finds one. Only a stranger's grammar has
# lexemes like these; the last statement counts.
_UNFORCED = '\n%llguidance {"no_forcing": true}\n'


def grammar_source(constraint: Constraint) -> str:
    """Return the grammar of an answer, as the library takes it. Raises: InvalidRequest."""
    if isinstance(constraint, JsonSchema):
        return schema_source(checked_schema(constraint))
    if isinstance(constraint, Regex):
        _check_length(constraint.pattern, constraint.param)
        return LLMatcher.grammar_from_regex(constraint.pattern)
    return LLMatcher.grammar_from_lark(_lark(constraint.text, constraint.syntax, constraint.param) + _UNFORCED)


def with_content(tools_grammar: str, constraint: Constraint | None) -> str:
    """Return the grammar of calls, where a constraint is what it calls `content`. Raises: InvalidRequest."""
    if constraint is None:
        return LLMatcher.grammar_from_lark(tools_grammar)
    if isinstance(constraint, JsonSchema):
        schema = checked_schema(constraint)
        rule = f"%json {msgspec.json.encode(_spelled(schema)).decode()}"
    elif isinstance(constraint, Regex):
        _check_length(constraint.pattern, constraint.param)
        rule = f"/{regex_to_lark(constraint.pattern)}/"
    else:
        rule = f"%lark {{\n{_lark(constraint.text, constraint.syntax, constraint.param)}\n}}{_UNFORCED}"
    return LLMatcher.grammar_from_lark(f"{tools_grammar}\n{CONTENT_RULE}: {rule}\n")


def checked_schema(constraint: JsonSchema) -> Schema:
    """Return a schema that may be compiled. Raises: InvalidRequest with the place inside it."""
    schema = constraint.schema
    try:
        if schema is False:
            raise Refused("#", "nothing satisfies false")
        check_size(schema)
        if len(msgspec.json.encode(schema)) > MAX_SCHEMA_BYTES:
            raise Refused("#", f"it is larger than {MAX_SCHEMA_BYTES} bytes")
        check_counts(schema)
        check_ends(schema)
    except Refused as problem:
        raise refused_schema(constraint.param, problem.path, problem.reason) from None
    return closed(without_remarks(schema))


def schema_source(schema: Schema) -> str:
    """Return the grammar of a schema that was checked, or of a part of it."""
    return LLMatcher.grammar_from_json_schema(msgspec.json.encode(_spelled(schema)).decode())


def refused_schema(param: str, path: str, reason: str) -> InvalidRequest:
    """Return the refusal of a schema in words."""
    return InvalidRequest(f"the JSON schema in '{param}' cannot be used at {path}: {reason}", param=param)


def _spelled(schema: Schema) -> dict[str, Any]:
    fields = _object(schema)
    own = fields.get("x-guidance")
    kept = {key: own[key] for key in _OWN_CHOICES if isinstance(own.get(key), bool)} if isinstance(own, dict) else {}
    return fields | {"x-guidance": _SPELLING | kept}


def _object(schema: Schema) -> dict[str, Any]:
    """Return the schema as an object: `true` allows anything, as does the empty one."""
    if isinstance(schema, dict):
        return schema
    return {} if schema else {"enum": []}


def _lark(text: str, syntax: str, param: str) -> str:
    _check_length(text, param)
    if syntax == "lark":
        return text
    try:
        return gbnf_to_lark(text)
    except BadGbnf as problem:
        raise InvalidRequest(f"the grammar in '{param}' is no GBNF: {problem}", param=param) from None


def _check_length(text: str, param: str) -> None:
    if len(text.encode()) > MAX_GRAMMAR_BYTES:
        raise InvalidRequest(f"'{param}' is larger than {MAX_GRAMMAR_BYTES} bytes", param=param)

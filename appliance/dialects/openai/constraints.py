"""What shape an answer is asked to have: `response_format`, and the fields that llama-server and vLLM have for it.

Beside OpenAI's formats, `response_format` may be `{"type": "regex", "pattern": ...}` or `{"type": "grammar", "grammar":
{"syntax": "lark" | "regex" | "gbnf", "definition": ...}}`, as OpenAI writes the grammar of a custom tool.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from appliance.core.request import Constraint, Grammar, JsonSchema, Regex
from appliance.errors import InvalidRequest

Schema = dict[str, Any] | bool
# Source: OpenAI's API reference, "Create chat completion", `response_format.json_schema.name`
SchemaName = Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,64}$")]
Choices = Annotated[list[str], Meta(min_length=1)]

_ANY_OBJECT: dict[str, Any] = {"type": "object"}
_META_CHARACTERS = re.compile(r"[\\.+*?()|\[\]{}^$#&~-]")
# llama-server's mark of a grammar that is not GBNF
_LARK_MARK = "%llguidance"


class TextFormat(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="text"):
    """Any text."""


class JsonObjectFormat(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="json_object"):
    """A JSON object. `schema` is llama-server's."""

    schema: Schema | None = None


class NamedSchema(msgspec.Struct, frozen=True, kw_only=True):
    """A schema as OpenAI wants it. It is kept to whether or not `strict` says so."""

    name: SchemaName
    description: str | None = None
    schema: Schema | None = None
    strict: bool | None = None


class JsonSchemaFormat(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="json_schema"):
    """JSON of a schema."""

    json_schema: NamedSchema


class GrammarText(msgspec.Struct, frozen=True, kw_only=True):
    """A grammar and what it is written in."""

    definition: str
    syntax: Literal["lark", "regex", "gbnf"]


class GrammarFormat(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="grammar"):
    """A sentence of a grammar."""

    grammar: GrammarText | str


class RegexFormat(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="regex"):
    """Text that a regular expression matches as a whole."""

    pattern: str


ResponseFormat = TextFormat | JsonObjectFormat | JsonSchemaFormat | GrammarFormat | RegexFormat


class StructuredOutputs(msgspec.Struct, frozen=True, kw_only=True):
    """vLLM's `structured_outputs`: one of them is given."""

    json: str | Schema | None = None
    regex: str | None = None
    choice: Choices | None = None
    grammar: str | None = None
    json_object: bool | None = None
    structural_tag: Any = None


class ConstraintFields(msgspec.Struct, frozen=True, kw_only=True):
    """Every field that shapes an answer, in chat and in completions."""

    response_format: ResponseFormat | None = None
    grammar: str | None = None
    json_schema: Schema | None = None
    regex: str | None = None
    structured_outputs: StructuredOutputs | None = None
    guided_json: str | Schema | None = None
    guided_regex: str | None = None
    guided_choice: Choices | None = None
    guided_grammar: str | None = None


def constraint_of(fields: ConstraintFields) -> Constraint | None:
    """Return the one constraint that was asked for. Raises: InvalidRequest, for more than one."""
    asked = list(_asked(fields))
    if len(asked) > 1:
        raise InvalidRequest(
            f"'{asked[0].param}' and '{asked[1].param}' both shape the answer; send one of them", param=asked[1].param
        )
    return asked[0] if asked else None


def grammar_of(text: str, param: str) -> Grammar:
    """Return a grammar of which the caller did not say what it is written in: only GBNF writes rules with `::=`."""
    is_gbnf = "::=" in text and not text.lstrip().startswith(_LARK_MARK)
    return Grammar(text=text, syntax="gbnf" if is_gbnf else "lark", param=param)


def _asked(fields: ConstraintFields) -> Iterator[Constraint]:
    if fields.response_format is not None:
        yield from _format(fields.response_format)
    if fields.grammar:
        yield grammar_of(fields.grammar, "grammar")
    if fields.json_schema is not None:
        yield JsonSchema(schema=fields.json_schema, param="json_schema")
    if fields.regex:
        yield Regex(pattern=fields.regex, param="regex")
    if fields.structured_outputs is not None:
        yield from _structured(fields.structured_outputs, "structured_outputs.")
    guided = StructuredOutputs(
        json=fields.guided_json,
        regex=fields.guided_regex,
        choice=fields.guided_choice,
        grammar=fields.guided_grammar,
    )
    yield from _structured(guided, "guided_")


def _format(wire: ResponseFormat) -> Iterator[Constraint]:
    if isinstance(wire, JsonObjectFormat):
        yield JsonSchema(schema=_ANY_OBJECT if wire.schema is None else wire.schema, param="response_format")
    elif isinstance(wire, JsonSchemaFormat):
        schema = wire.json_schema.schema
        yield JsonSchema(schema=_ANY_OBJECT if schema is None else schema, param="response_format")
    elif isinstance(wire, RegexFormat):
        yield Regex(pattern=wire.pattern, param="response_format.pattern")
    elif isinstance(wire, GrammarFormat):
        yield _written_grammar(wire.grammar, "response_format.grammar")


def _written_grammar(wire: GrammarText | str, param: str) -> Constraint:
    if isinstance(wire, str):
        return grammar_of(wire, param)
    if wire.syntax == "regex":
        return Regex(pattern=wire.definition, param=f"{param}.definition")
    return Grammar(text=wire.definition, syntax=wire.syntax, param=f"{param}.definition")


def _structured(wire: StructuredOutputs, prefix: str) -> Iterator[Constraint]:
    if wire.structural_tag is not None:
        param = f"{prefix}structural_tag"
        raise InvalidRequest(f"'{param}' is not offered; use 'tools', or a grammar", param=param)
    if wire.json is not None:
        yield JsonSchema(schema=_schema(wire.json, f"{prefix}json"), param=f"{prefix}json")
    if wire.json_object:
        yield JsonSchema(schema=_ANY_OBJECT, param=f"{prefix}json_object")
    if wire.regex is not None:
        yield Regex(pattern=wire.regex, param=f"{prefix}regex")
    if wire.choice is not None:
        yield Regex(pattern="|".join(map(_literal, wire.choice)), param=f"{prefix}choice")
    if wire.grammar is not None:
        yield grammar_of(wire.grammar, f"{prefix}grammar")


def _schema(written: str | Schema, param: str) -> Schema:
    if not isinstance(written, str):
        return written
    try:
        return msgspec.json.decode(written, type=dict[str, Any] | bool)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(f"'{param}' is a text that is no JSON schema: {error}", param=param) from None


def _literal(text: str) -> str:
    """Return the pattern that only `text` matches; Rust's syntax allows fewer escapes than Python's `re.escape`."""
    return _META_CHARACTERS.sub(r"\\\g<0>", text)

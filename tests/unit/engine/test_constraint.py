"""What grammars are made of, what is refused and where, and the masks that come of them."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import models.default
from appliance.backends import loading
from appliance.backends.base import TokenArray, Tokenizer
from appliance.backends.echo_tokenizer import EchoTokenizer
from appliance.core.plan import Artefact
from appliance.core.request import Constraint, Grammar, JsonSchema, Regex
from appliance.engine.constraint import KEPT_GRAMMARS, Grammars, Matcher
from appliance.engine.grammar_vocabulary import make_grammar_vocabulary
from appliance.engine.schema_check import MAX_PROPERTIES
from appliance.errors import InvalidRequest

GUIDE = Path(models.default.__file__).parent / "guide.gguf"
QUICK_S = 1.0  # of a machine that does other things, too


def record(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        inner = {"type": "object", "properties": {"a": inner}}
    return inner


def schema(value: Any) -> JsonSchema:
    return JsonSchema(schema=value, param="response_format")


@pytest.fixture(scope="module")
def grammars() -> Grammars:
    return Grammars(EchoTokenizer(512))


def start(grammars: Grammars, constraint: Constraint, tools_grammar: str | None = None) -> Matcher:
    compiled = grammars.compile(constraint, tools_grammar)
    assert compiled is not None
    return compiled.start()


def accepts(matcher: Matcher, text: str) -> bool:
    tokens = list(text.encode())
    if matcher.num_valid(tokens) < len(tokens):
        return False
    for token in tokens:
        matcher.accept(token)
    return matcher.may_end


REFUSED: dict[str, tuple[Any, str, str]] = {
    "false": (False, "#", "nothing satisfies false"),
    "no type": ({"type": "strin"}, "#", "Invalid type: strin"),
    "no type inside": (record(a=record(b={"type": "strin"})), "#/properties/a/properties/b", "Invalid type"),
    "no type in a branch": (
        {"anyOf": [{"type": "null"}, record(x={"type": "x"})]},
        "#/anyOf/1/properties/x",
        "Invalid",
    ),
    "no type in a definition": (
        {"$defs": {"d": record(q={"type": "x"})}, **record(a={"$ref": "#/$defs/d"})},
        "#/$defs/d/properties/q",
        "Invalid type",
    ),
    "contradiction": (record(n={"type": "integer", "minimum": 5, "maximum": 3}), "#/properties/n", "greater than"),
    "impossible enum": (record(e={"type": "string", "enum": [1]}), "#/properties/e", "incompatible types"),
    "forbidden and required": (record(a=False), "#/properties/a", "nothing satisfies false"),
    "no regular expression": (record(p={"type": "string", "pattern": "(a"}), "#/properties/p", "unclosed group"),
    "look-around": (record(p={"type": "string", "pattern": "(?=a)b"}), "#/properties/p", "look-around"),
    "unknown keyword": (record(u={"type": "array", "uniqueItems": True}), "#/properties/u", "uniqueItems"),
    "branches that overlap": (
        record(o={"oneOf": [{"type": "integer"}, {"type": "number"}]}),
        "#/properties/o",
        "anyOf",
    ),
    "missing reference": (record(r={"$ref": "#/$defs/x"}), "#/properties/r", "does not exist"),
    "foreign reference": (record(r={"$ref": "http://127.0.0.1/x"}), "#/properties/r", "does not fetch"),
    "endless": (
        {"$defs": {"n": record(v={}, n={"$ref": "#/$defs/n"})}, "$ref": "#/$defs/n"},
        "#/$defs/n/properties/n",
        "end",
    ),
    "endless list": (record(r={"type": "array", "minItems": 1, "items": {"$ref": "#"}}), "#/properties/r/items", "end"),
    "itself": ({"$defs": {"n": {"$ref": "#/$defs/n"}}, "$ref": "#/$defs/n"}, "#/$defs/n", "without end"),
    "too deep": (nested(10_000), "#/properties/a/", "more than 100 levels"),
    "too large": ({"description": "x" * 5_000_000}, "#", "larger than 1048576 bytes"),
    "too many values": ({"enum": [f"value {number}" for number in range(400_000)]}, "#", "more than 50000 values"),
    "too many properties": (
        record(a={"properties": {f"p{number}": {} for number in range(MAX_PROPERTIES + 1)}}),
        "#/properties/a/properties",
        "2000 properties",
    ),
    "too large a number": (record(e={"enum": [1, 2**53 + 1]}), "#/properties/e/enum/1", "past 2^53"),
    "too long": (record(s={"type": "string", "minLength": 10**7}), "#/properties/s", "minLength is 10000000"),
    "too many items": (record(l={"type": "array", "minItems": 10**18}), "#/properties/l", "minItems is 1000"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_schema_is_refused_at_the_place_that_is_at_fault(name: str, grammars: Grammars) -> None:
    value, path, reason = REFUSED[name]
    started_s = time.monotonic()
    with pytest.raises(InvalidRequest) as refusal:
        grammars.compile(schema(value))
    assert time.monotonic() - started_s < QUICK_S
    assert refusal.value.param == "response_format"
    said = refusal.value.message
    assert f" at {path}" in said
    assert reason in said.partition(f" at {path}")[2]
    assert len(said) < 400


@pytest.mark.parametrize(
    ("constraint", "reason"),
    [
        (Regex(pattern="(a", param="x"), "unclosed group"),
        (Regex(pattern=r"[^\s\S]", param="x"), "no answer satisfies it"),
        (Regex(pattern="(" * 5000 + "a" + ")" * 5000, param="x"), "nested"),
        (Regex(pattern="a" * 300_000, param="x"), "larger than"),
        (Regex(pattern="a{0}", param="x"), "no answer but an empty one"),
        (Grammar(text='root ::= "" | ""', syntax="gbnf", param="x"), "no answer but an empty one"),
        (Grammar(text="start: [[[", syntax="lark", param="x"), "Expected token"),
        (Grammar(text="", syntax="lark", param="x"), "no start rule found"),
        (Grammar(text="start: missing", syntax="lark", param="x"), "missing"),
        (Grammar(text="start: start", syntax="lark", param="x"), "no answer satisfies it"),
        (Grammar(text="start: " + "(" * 9000 + '"a"' + ")" * 9000, syntax="lark", param="x"), "nested"),
        (Grammar(text="hello", syntax="gbnf", param="x"), "no GBNF: line 1"),
        (Grammar(text="root ::= root", syntax="gbnf", param="x"), "no answer satisfies it"),
    ],
)
def test_what_is_no_grammar_is_refused(constraint: Constraint, reason: str, grammars: Grammars) -> None:
    started_s = time.monotonic()
    with pytest.raises(InvalidRequest) as refusal:
        grammars.compile(constraint)
    assert time.monotonic() - started_s < QUICK_S
    assert refusal.value.param == "x"
    assert reason in refusal.value.message


ALLOWED: dict[str, tuple[Any, list[str], list[str]]] = {
    "anything": (True, ['{"a": [1, null]}', "3", '"x"'], ["x"]),
    "anything at all": ({}, ["[]"], ["[,]"]),
    "any object": ({"type": "object"}, ['{"a": {"b": 1}}', "{}"], ["[]"]),
    "what may be left out although impossible": (
        {"type": "object", "properties": {"a": False}, "additionalProperties": False},
        ["{}"],
        ['{"a": 1}'],
    ),
    "no keys that nobody spoke of": (
        {"type": "object", "properties": {"a": {"type": "null"}}},
        ['{"a": null}', "{}"],
        ['{"a": null, "b": 1}'],
    ),
    "further keys where they are asked for": (
        {"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": {"type": "null"}},
        ['{"a": null, "b": null}'],
        ['{"b": 1}'],
    ),
    "objects put together from parts": (
        {"allOf": [{"properties": {name: {"const": 1}}, "required": [name], "type": "object"} for name in "ab"]},
        ['{"a": 1, "b": 1}'],
        ['{"a": 1}'],
    ),
    "a format that nobody knows": ({"type": "string", "format": "int32"}, ['"x"'], ["3"]),
    "a property called format": (record(format={"const": 1}), ['{"format": 1}'], ["{}"]),
    "a dialect that nobody knows": ({"$schema": "http://127.0.0.1/s", "type": "null"}, ["null"], ["1"]),
    "a reference without its mark": (
        {"$defs": {"n": {"type": "null"}}, **record(a={"$ref": "/$defs/n"})},
        ['{"a": null}'],
        ['{"a": 1}'],
    ),
    "a format": ({"type": "string", "format": "date"}, ['"2024-02-29"'], ['"2024-13-01"']),
    "most that no answer reaches": ({"type": "string", "maxLength": 2**31 - 1}, ['"x"'], ["x"]),
    "recursion that ends": (
        {"$defs": {"n": record(next={"anyOf": [{"type": "null"}, {"$ref": "#/$defs/n"}]})}, "$ref": "#/$defs/n"},
        ['{"next": {"next": null}}'],
        ['{"next": {}}'],
    ),
    "free white space": (
        {"x-guidance": {"whitespace_flexible": True}, "type": "array", "items": {"type": "null"}},
        ["[ null,  \n null ]"],
        ["[null null]"],
    ),
    "a separator without end, which is not taken over": (
        {"x-guidance": {"item_separator": "n+"}, "type": "array", "items": {"type": "null"}},
        ["[null, null]"],
        ["[nullnull]"],
    ),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_a_schema_allows_what_it_says(name: str, grammars: Grammars) -> None:
    value, answers, others = ALLOWED[name]
    assert [text for text in answers if not accepts(start(grammars, schema(value)), text)] == []
    assert [text for text in others if accepts(start(grammars, schema(value)), text)] == []


CALLS = 'start: content | "<call>" /[a-z]+/ "</call>"'


@pytest.mark.parametrize(
    ("constraint", "answer", "other"),
    [
        (schema(record(a={"type": "null"})), '{"a": null}', "{}"),
        (Regex(pattern="a/b+", param="x"), "a/bb", "a/"),
        (Grammar(text='root ::= "yes" | "no"', syntax="gbnf", param="x"), "yes", "yesno"),
        (Grammar(text='start: "yes" more\nmore: "!"', syntax="lark", param="x"), "yes!", "yes"),
    ],
)
def test_calls_may_come_in_place_of_a_constrained_answer(
    constraint: Constraint, answer: str, other: str, grammars: Grammars
) -> None:
    assert accepts(start(grammars, constraint, CALLS), answer)
    assert accepts(start(grammars, constraint, CALLS), "<call>f</call>")
    assert not accepts(start(grammars, constraint, CALLS), other)


def test_a_bad_schema_beside_calls_is_found_at_its_place(grammars: Grammars) -> None:
    with pytest.raises(InvalidRequest, match="#/properties/a: Invalid type"):
        grammars.compile(schema(record(a={"type": "x"})), CALLS)


def test_nothing_asked_is_no_grammar(grammars: Grammars) -> None:
    assert grammars.compile(None) is None


def test_a_mask_leaves_what_may_come_and_the_end_where_it_may_come(grammars: Grammars) -> None:
    matcher = start(grammars, Regex(pattern="ab?", param="x"))
    assert allowed(matcher, 512) == {ord("a")}
    matcher.accept(ord("a"))
    assert allowed(matcher, 512) == {ord("b"), *EchoTokenizer(512).eos_ids}
    matcher.accept(ord("b"))
    assert matcher.is_complete


def test_a_row_wider_than_the_vocabulary_is_never_chosen_from_beyond_it(grammars: Grammars) -> None:
    matcher = start(grammars, Regex(pattern="[ab]", param="x"))
    assert allowed(matcher, 640) == {ord("a"), ord("b")}
    assert allowed(matcher, 300) == {ord("a"), ord("b")}


def allowed(matcher: Matcher, width: int) -> set[int]:
    row = np.zeros(width, np.float32)
    matcher.mask(row)
    return set(np.flatnonzero(row == 0).tolist())


def test_sequences_that_share_a_grammar_do_not_share_their_place(grammars: Grammars) -> None:
    compiled = grammars.compile(Regex(pattern="ab", param="x"))
    assert compiled is not None
    first, second = compiled.start(), compiled.start()
    first.accept(ord("a"))
    assert allowed(first, 512) == {ord("b")}
    assert allowed(second, 512) == {ord("a")}


def test_special_tokens_are_no_text_but_can_be_named(grammars: Grammars) -> None:
    anything = start(grammars, Regex(pattern=r"(?s:.)*", param="x"))
    assert allowed(anything, 512) >= set(range(256)) & {*range(0x20, 0x7F)}
    assert not allowed(anything, 512) & {257, 259, 260, 261}
    named = start(grammars, Grammar(text='start: <|im_start|> "x"', syntax="lark", param="x"))
    assert allowed(named, 512) == {257}


class SpacePrefixed(EchoTokenizer):
    """A vocabulary that begins every text with a space, as those of SentencePiece do."""

    def encode(self, text: str, *, parse_special: bool, add_bos: bool) -> TokenArray:
        return super().encode(" " + text, parse_special=parse_special, add_bos=add_bos)


def test_a_vocabulary_that_begins_texts_with_a_space_forces_none() -> None:
    compiled = Grammars(SpacePrefixed(512)).compile(schema({"const": "abc"}))
    assert compiled is not None
    matcher = compiled.start()
    assert bytes(matcher.forced()) == b'"abc"'


@pytest.mark.parametrize("artefact", [Artefact(format="gguf", path=str(GUIDE), digest="sha256:0")])
def test_every_token_of_a_vocabulary_stands_for_its_own_bytes(artefact: Artefact) -> None:
    tokenizer = loading.open_tokenizer(artefact)
    check_vocabulary(tokenizer)


def check_vocabulary(tokenizer: Tokenizer) -> None:
    vocabulary = make_grammar_vocabulary(tokenizer)
    assert vocabulary.vocab_size == tokenizer.vocab_size
    assert set(vocabulary.eos_tokens) == set(tokenizer.eos_ids)
    for token in range(tokenizer.vocab_size):
        spelled = tokenizer.token_bytes(token)
        assert vocabulary.is_special_token(token) == (not spelled and bool(tokenizer.special_text(token)))
        if spelled and spelled[0] != 0xFF:
            assert vocabulary.decode_bytes([token]) == spelled
    text = '{"name": "größer"}'
    assert vocabulary.tokenize_str(text) == tokenizer.encode(text, parse_special=False, add_bos=False).tolist()


def test_an_object_may_have_many_properties_that_can_be_left_out(grammars: Grammars) -> None:
    many = {"type": "object", "properties": {f"p{number}": {"type": "null"} for number in range(MAX_PROPERTIES)}}
    assert accepts(start(grammars, schema(many)), '{"p7": null, "p1999": null}')


def test_a_grammar_is_compiled_once_while_it_is_among_the_latest(grammars: Grammars) -> None:
    def compile(number: int) -> object:
        return grammars.compile(Regex(pattern=f"a{{{number}}}", param="x"))

    first = compile(1)
    for number in range(2, KEPT_GRAMMARS + 1):
        compile(number)
    assert compile(1) == first
    for number in range(2, KEPT_GRAMMARS + 2):
        compile(number)
    assert compile(1) != first


# fmt: off
KEYWORDS = (
    "type", "properties", "required", "items", "minItems", "maxItems", "prefixItems", "enum", "const", "anyOf",
    "oneOf", "allOf", "$ref", "$defs", "definitions", "pattern", "format", "minLength", "maxLength", "minimum",
    "maximum", "multipleOf", "additionalProperties", "patternProperties", "$schema", "x-guidance", "not", "a",
)
# fmt: on
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [*KEYWORDS, "object", "array", "string", "integer", "#", "#/$defs/a", "#/properties/a", "date", "("]
    ),
)


def nestings(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=5))


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYWORDS), st.recursive(VALUES, nestings, max_leaves=12), max_size=6))
def test_whatever_is_sent_as_a_schema_is_compiled_or_refused(value: dict[str, Any]) -> None:
    for tools_grammar in (None, CALLS):
        try:
            FUZZED.compile(schema(value), tools_grammar)
        except InvalidRequest as refusal:
            assert refusal.param == "response_format"


FUZZED = Grammars(EchoTokenizer(512))


@pytest.mark.parametrize("text", ["start: /a+/ /a+/", 'start: /a+/ /a+/\n%llguidance {"no_forcing": false}'])
@pytest.mark.parametrize("tools_grammar", [None, CALLS])
def test_a_grammar_that_forces_the_same_for_ever_is_followed_step_by_step(
    text: str, tools_grammar: str | None, grammars: Grammars
) -> None:
    matcher = start(grammars, Grammar(text=text, syntax="lark", param="x"), tools_grammar)
    for _ in range(50):
        assert ord("a") in allowed(matcher, 512)
        matcher.accept(ord("a"))
        assert not matcher.forced()

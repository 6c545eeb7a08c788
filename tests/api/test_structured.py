"""What shape an answer is asked to have, in every way that clients say it, in chat and in completions."""

from typing import Any

import httpx
import pytest

from appliance.core.request import Constraint, Grammar, JsonSchema, Regex
from tests.api.conftest import Daemon

BODIES: dict[str, Any] = {
    "chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
    "completions": {"prompt": "Hi"},
}
AGE = {"type": "object", "properties": {"age": {"type": "integer"}}}
GBNF, LARK = 'root ::= "a"', 'start: "a"'


def form(type: str, **fields: Any) -> dict[str, Any]:
    return {"response_format": {"type": type, **fields}}


def in_grammar(syntax: str, definition: str) -> dict[str, Any]:
    return form("grammar", grammar={"syntax": syntax, "definition": definition})


CASES: list[tuple[dict[str, Any], Constraint | None]] = [
    ({}, None),
    (form("text"), None),
    ({"grammar": "", "json_schema": None, "regex": ""}, None),
    (form("json_object"), JsonSchema(schema={"type": "object"}, param="response_format")),
    (form("json_object", schema=AGE), JsonSchema(schema=AGE, param="response_format")),
    (
        form("json_schema", json_schema={"name": "age", "strict": True, "schema": AGE}),
        JsonSchema(schema=AGE, param="response_format"),
    ),
    (
        form("json_schema", json_schema={"name": "anything"}),
        JsonSchema(schema={"type": "object"}, param="response_format"),
    ),
    (form("regex", pattern="a+"), Regex(pattern="a+", param="response_format.pattern")),
    (form("grammar", grammar=GBNF), Grammar(text=GBNF, syntax="gbnf", param="response_format.grammar")),
    (in_grammar("lark", LARK), Grammar(text=LARK, syntax="lark", param="response_format.grammar.definition")),
    (in_grammar("gbnf", GBNF), Grammar(text=GBNF, syntax="gbnf", param="response_format.grammar.definition")),
    (in_grammar("regex", "a+"), Regex(pattern="a+", param="response_format.grammar.definition")),
    ({"grammar": GBNF}, Grammar(text=GBNF, syntax="gbnf", param="grammar")),
    (
        {"grammar": f"%llguidance {{}}\n{LARK}"},
        Grammar(text=f"%llguidance {{}}\n{LARK}", syntax="lark", param="grammar"),
    ),
    ({"json_schema": AGE}, JsonSchema(schema=AGE, param="json_schema")),
    ({"json_schema": True}, JsonSchema(schema=True, param="json_schema")),
    ({"regex": "a+"}, Regex(pattern="a+", param="regex")),
    ({"guided_json": AGE}, JsonSchema(schema=AGE, param="guided_json")),
    ({"guided_json": '{"type": "null"}'}, JsonSchema(schema={"type": "null"}, param="guided_json")),
    ({"guided_regex": "a+"}, Regex(pattern="a+", param="guided_regex")),
    ({"guided_choice": ["a.b", "c|d"]}, Regex(pattern=r"a\.b|c\|d", param="guided_choice")),
    ({"guided_grammar": LARK}, Grammar(text=LARK, syntax="lark", param="guided_grammar")),
    ({"structured_outputs": {"json": AGE}}, JsonSchema(schema=AGE, param="structured_outputs.json")),
    (
        {"structured_outputs": {"json_object": True}},
        JsonSchema(schema={"type": "object"}, param="structured_outputs.json_object"),
    ),
    ({"structured_outputs": {"choice": ["a", "b"]}}, Regex(pattern="a|b", param="structured_outputs.choice")),
    (
        {"structured_outputs": {"grammar": GBNF}},
        Grammar(text=GBNF, syntax="gbnf", param="structured_outputs.grammar"),
    ),
]


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(("fields", "constraint"), CASES, ids=lambda value: str(value)[:60])
def test_the_engine_is_told_the_shape(
    http: httpx.Client, daemon: Daemon, path: str, fields: dict[str, Any], constraint: Constraint | None
) -> None:
    response = http.post(f"/v1/{path}", json=BODIES[path] | fields)
    assert response.status_code == 200, response.text
    assert daemon.scheduler.last.constraint == constraint

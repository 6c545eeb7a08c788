"""Answers of a shape that cannot be: each is refused at once and in words, and the worker serves the next request."""

import json
import time
from typing import Any

import httpx
import pytest

from tests.conftest import RealDaemon

HI = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 200}
QUICK_S = 3.0  # a first grammar takes the vocabulary in, too


def by_schema(schema: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}


NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}
CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "no type": (by_schema({"type": "strin"}), "response_format", "Invalid type: strin"),
    "contradiction": (
        by_schema({"type": "object", "properties": {"n": {"enum": []}}, "required": ["n"]}),
        "response_format",
        "#/properties/n",
    ),
    "5 MB": (by_schema({"description": "x" * 5_000_000}), "response_format", "larger than"),
    "endless": (by_schema({"$defs": {"node": NODE}, "$ref": "#/$defs/node"}), "response_format", "without end"),
    "huge": (by_schema({"type": "string", "minLength": 10**9}), "response_format", "minLength is 1000000000"),
    "many values": (by_schema({"allOf": [{"type": "null"}] * 60_000}), "response_format", "more than 50000 values"),
    "no grammar": ({"grammar": "root ::= [a"}, "grammar", "line 1: cannot read"),
    "no Lark": ({"guided_grammar": "start: [[["}, "guided_grammar", "Expected token"),
    "no regular expression": ({"guided_regex": "(a"}, "guided_regex", "unclosed group"),
}


@pytest.mark.parametrize("name", CASES)
def test_an_impossible_shape_is_refused_and_the_worker_lives(name: str, real_daemon: RealDaemon) -> None:
    fields, param, reason = CASES[name]
    workers = real_daemon.worker_pids()
    with httpx.Client(base_url=real_daemon.url, trust_env=False, timeout=30) as http:
        started_s = time.monotonic()
        response = http.post("/v1/chat/completions", json=HI | fields)
        assert time.monotonic() - started_s < QUICK_S
        assert response.status_code == 400, response.text
        error = response.json()["error"]
        assert error["param"] == param
        assert reason in error["message"]
        answer = http.post("/v1/chat/completions", json=HI | by_schema({"const": {"ok": True}}))
        assert json.loads(answer.json()["choices"][0]["message"]["content"]) == {"ok": True}
    assert real_daemon.worker_pids() == workers


@pytest.mark.parametrize("depth", [200, 500, 900, 1000, 10_000])
def test_no_depth_of_nesting_hurts(depth: int, real_daemon: RealDaemon) -> None:
    workers = real_daemon.worker_pids()
    schema = '{"type": "object", "properties": {"a": ' * depth + "{}" + "}}" * depth
    shape = json.dumps(by_schema("SCHEMA")).replace('"SCHEMA"', schema)[1:-1]
    body = json.dumps(HI)[:-1] + ", " + shape + "}"
    with httpx.Client(base_url=real_daemon.url, trust_env=False, timeout=30) as http:
        headers = {"Content-Type": "application/json"}
        response = http.post("/v1/chat/completions", content=body, headers=headers)
        assert response.status_code == 400, response.text
        answer = http.post("/v1/chat/completions", json=HI | {"guided_regex": "yes|no"})
        assert answer.json()["choices"][0]["message"]["content"] in ("yes", "no")
    assert real_daemon.worker_pids() == workers

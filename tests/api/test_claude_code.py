"""Requests in the shape of Claude Code's: an agent's first turn, its tools' results, its smaller errands."""

import json
from typing import Any

import httpx

from appliance.core.request import ChatPrompt, Reasoning
from tests.api.claude import called
from tests.api.conftest import Daemon
from tests.fakes import accepted, finished

HEADERS = {
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27",
    "anthropic-dangerous-direct-browser-access": "true",
    "authorization": "Bearer none",
    "user-agent": "claude-cli/2.1.177 (external, cli)",
    "x-app": "cli",
}
AGENTS = "<system-reminder>\nAvailable agents: Explore\n</system-reminder>"
KEPT = {"type": "ephemeral", "ttl": "1h"}
USER = json.dumps({"device_id": "d" * 64, "account_uuid": "", "session_id": "s"})
READ = {
    "name": "Read",
    "description": "Read a file.",
    "input_schema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"file_path": {"type": "string"}, "limit": {"type": "integer", "exclusiveMinimum": 0}},
        "required": ["file_path"],
        "additionalProperties": False,
    },
    "eager_input_streaming": True,
}


def text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def turn(cch: str, *messages: dict[str, Any]) -> dict[str, Any]:
    """The body of a turn of the agent."""
    return {
        "model": "guide",
        "messages": [
            {"role": "user", "content": [text("<system-reminder>CLAUDE.md</system-reminder>"), text("Fix it.")]},
            {"role": "system", "content": "Available agents: Explore"},
            *messages,
        ],
        "system": [
            text(f"x-anthropic-billing-header: cc_version=2.1.177.01c; cc_entrypoint=cli; cch={cch};"),
            text("You are Claude Code, Anthropic's official CLI for Claude.", cache_control=KEPT),
            text("Be brief.", cache_control=KEPT),
        ],
        "tools": [READ, {"name": "Stop", "description": "Stop.", "input_schema": {"type": "object", "properties": {}}}],
        "metadata": {"user_id": USER},
        "max_tokens": 32000,
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "stream": True,
    }


def ask(http: httpx.Client, body: dict[str, Any]) -> list[dict[str, Any]]:
    response = http.post("/v1/messages?beta=true", json=body, headers=HEADERS)
    assert response.status_code == 200, response.text
    return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]


def prompt_of(daemon: Daemon) -> ChatPrompt:
    prompt = daemon.scheduler.last.prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt


def test_a_turn_of_the_agent_is_understood(http: httpx.Client, daemon: Daemon) -> None:
    events = ask(http, turn("36ee5"))
    assert events[0]["type"] == "message_start"
    assert events[-1]["type"] == "message_stop"
    prompt = prompt_of(daemon)
    assert [(message.role, message.content) for message in prompt.messages] == [
        ("system", "You are Claude Code, Anthropic's official CLI for Claude.\nBe brief."),
        ("user", f"<system-reminder>CLAUDE.md</system-reminder>\nFix it.\n{AGENTS}"),
    ]
    assert [tool.name for tool in prompt.tools] == ["Read", "Stop"]
    assert prompt.reasoning == Reasoning(effort="high")
    assert daemon.scheduler.last.stop.max_tokens == 32000
    assert daemon.scheduler.requests[-1][1].id == f"local/{USER}"


def test_the_next_turn_begins_with_the_very_prompt_of_the_last_one(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [
        accepted(r),
        called(r, 0, "call_a", "Read", '{"file_path": "a.py"}'),
        finished(r, reason="tool_calls"),
    ]
    ask(http, turn("36ee5"))
    before = prompt_of(daemon)
    call = {
        "type": "tool_use",
        "id": "call_a",
        "name": "Read",
        "input": {"file_path": "a.py"},
        "caller": {"type": "direct"},
    }
    result = {"type": "tool_result", "tool_use_id": "call_a", "content": "1\tprint()", "cache_control": KEPT}
    reminder = text("<system-reminder>a todo list</system-reminder>")
    ask(http, turn("0aaa9", {"role": "assistant", "content": [call]}, {"role": "user", "content": [result, reminder]}))
    after = prompt_of(daemon)
    assert after.messages[: len(before.messages)] == before.messages
    assert (after.tools, after.reasoning, after.tool_choice) == (before.tools, before.reasoning, before.tool_choice)
    assert [(message.role, message.content) for message in after.messages[-3:]] == [
        ("assistant", ""),
        ("tool", "1\tprint()"),
        ("user", "<system-reminder>a todo list</system-reminder>"),
    ]


def test_a_search_of_the_web_is_answered_from_what_the_model_knows(http: httpx.Client, daemon: Daemon) -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
    body = turn("36ee5") | {"tools": [search], "tool_choice": {"type": "tool", "name": "web_search"}}
    assert ask(http, body)[-1]["type"] == "message_stop"
    assert (prompt_of(daemon).tools, prompt_of(daemon).tool_choice.mode) == ((), "auto")


def test_a_title_comes_in_the_form_that_it_was_asked_in(http: httpx.Client, daemon: Daemon) -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    config = {"format": {"type": "json_schema", "schema": schema}}
    body = turn("36ee5") | {"tools": [], "thinking": {"type": "disabled"}, "output_config": config, "temperature": 1}
    ask(http, body)
    constraint = daemon.scheduler.last.constraint
    assert constraint is not None
    assert constraint.param == "output_config.format.schema"


def test_the_question_whether_there_is_quota_left_is_answered(http: httpx.Client) -> None:
    body = {
        "model": "guide",
        "max_tokens": 1,
        "messages": [{"role": "user", "content": "quota"}],
        "metadata": {"user_id": USER},
    }
    response = http.post("/v1/messages?beta=true", json=body, headers=HEADERS)
    assert response.json()["type"] == "message"

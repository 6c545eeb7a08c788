"""`POST /v1/responses` as the `openai` library sees it: what is understood of a request, and one whole answer."""

import asyncio
import json
from typing import Any

import httpx
import openai as library
import pytest
from openai import OpenAI
from openai.types.responses import Response
from pydantic import BaseModel

from appliance.core.request import ChatPrompt, JsonSchema, Message, Tool, ToolCall, ToolChoice
from tests.api.conftest import Daemon
from tests.api.responses import CITY, PATH, SHELL, WEATHER, call, thinks_speaks_and_calls
from tests.fakes import accepted, delta, finished


class Place(BaseModel):
    city: str


def prompt_of(daemon: Daemon) -> ChatPrompt:
    prompt = daemon.scheduler.last.prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt


def test_an_answer_has_every_field_that_openai_publishes(http: httpx.Client) -> None:
    body = http.post(PATH, json={"input": "Hi"}).json()
    assert set(Response.model_fields) <= set(body)
    response = Response.model_validate(body)
    assert (response.status, response.output_text, response.model) == ("completed", "Hello wörld", "guide")
    assert response.usage is not None
    usage = response.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (7, 2, 9)
    assert (usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens) == (3, 0)
    assert response.completed_at is not None


def test_what_was_asked_for_is_told_back(openai: OpenAI) -> None:
    asked: dict[str, Any] = {
        "instructions": "Be brief.",
        "max_output_tokens": 50,
        "max_tool_calls": 3,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "temperature": 0.5,
        "top_p": 0.25,
        "tools": [WEATHER, {"type": "web_search"}],
        "truncation": "auto",
        "user": "eva",
    }
    response = openai.responses.create(model="guide", input="Hi", **asked, text={"verbosity": "low"}).model_dump()
    told = {name: response[name] for name in asked}
    assert told | {"tools": None} == asked | {"tools": None}
    assert [tool["type"] for tool in response["tools"]] == ["function"]  # what the model may call
    assert (response["text"]["verbosity"], response["text"]["format"]) == ("low", {"type": "text"})


def test_every_kind_of_item_reaches_the_model(http: httpx.Client, daemon: Daemon) -> None:
    items: list[dict[str, Any]] = [
        {"role": "developer", "content": "Rules."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Let me look.", "annotations": []}]},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Rome"}'},
        {"type": "custom_tool_call", "call_id": "c2", "name": "shell", "input": 'ls "a"'},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "b"}]},
        {"role": "user", "content": "And now?"},
    ]
    body = {"instructions": "Be brief.", "input": items, "tools": [WEATHER, SHELL]}
    assert http.post(PATH, json=body).status_code == 200
    calls = (
        ToolCall(id="c1", name="weather", arguments='{"city": "Rome"}'),
        ToolCall(id="c2", name="shell", arguments='{"input": "ls \\"a\\""}'),
    )
    assert prompt_of(daemon).messages == (
        Message(role="system", content="Be brief.\n\nRules."),
        Message(role="user", content="a"),
        Message(role="assistant", content="Let me look.", reasoning="Hm.", tool_calls=calls),
        Message(role="tool", content="sunny", name="weather", tool_call_id="c1"),
        Message(role="tool", content="b", name="shell", tool_call_id="c2"),
        Message(role="user", content="And now?"),
    )


def test_tools_are_offered_and_hosted_ones_are_not(http: httpx.Client, daemon: Daemon) -> None:
    hosted: list[dict[str, Any]] = [
        {"type": "local_shell"},
        {"type": "web_search", "external_web_access": False},
        {"type": "mcp", "server_label": "x", "server_url": "http://x"},
        {"type": "image_generation"},
        {"type": "a_tool_of_tomorrow", "x": [1]},
    ]
    group = {"type": "namespace", "name": "files", "description": "", "tools": [{**WEATHER, "name": "read"}]}
    assert http.post(PATH, json={"input": "Hi", "tools": [*hosted, WEATHER, SHELL, group]}).status_code == 200
    weather, shell, read = prompt_of(daemon).tools
    assert weather == Tool(name="weather", description="Tell it.", parameters=CITY)
    assert (shell.name, list(shell.parameters["properties"]), shell.is_strict) == ("shell", ["input"], True)
    assert read.name == "files__read"


def test_calls_come_back_under_the_names_that_clients_gave(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [
        delta(r, "", tool_calls=(call(0, "files__read", "{}"),)),
        finished(r, reason="tool_calls"),
    ]
    group = {"type": "namespace", "name": "files", "description": "", "tools": [{**WEATHER, "name": "read"}]}
    first = http.post(PATH, json={"input": "Hi", "tools": [group]}).json()
    [item] = first["output"]
    assert (item["name"], item["namespace"]) == ("read", "files")
    output = {"type": "function_call_output", "call_id": "call_0", "output": "x"}
    body = {"input": [output], "tools": [group], "previous_response_id": first["id"]}
    assert http.post(PATH, json=body).status_code == 200
    assert prompt_of(daemon).messages[1].tool_calls[0].name == "files__read"


@pytest.mark.parametrize(
    ("choice", "meant"),
    [
        ("none", ToolChoice(mode="none")),
        ("required", ToolChoice(mode="required")),
        ({"type": "function", "name": "weather"}, ToolChoice(mode="required", name="weather")),
        ({"type": "custom", "name": "shell"}, ToolChoice(mode="required", name="shell")),
        ({"type": "web_search_preview"}, ToolChoice()),
    ],
)
def test_the_choice_of_a_tool_is_understood(http: httpx.Client, daemon: Daemon, choice: Any, meant: ToolChoice) -> None:
    body = {"input": "Hi", "tools": [WEATHER, SHELL], "tool_choice": choice}
    assert http.post(PATH, json=body).status_code == 200
    assert prompt_of(daemon).tool_choice == meant
    assert len(prompt_of(daemon).tools) == 2


def test_only_allowed_tools_are_offered(http: httpx.Client, daemon: Daemon) -> None:
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "shell"}]}
    body = {"input": "Hi", "tools": [WEATHER, SHELL], "tool_choice": choice, "parallel_tool_calls": False}
    assert http.post(PATH, json=body).status_code == 200
    assert [tool.name for tool in prompt_of(daemon).tools] == ["shell"]
    assert prompt_of(daemon).tool_choice == ToolChoice(mode="required", is_parallel=False)


def test_a_custom_tool_is_told_its_grammar_and_held_to_its_pattern(http: httpx.Client, daemon: Daemon) -> None:
    def offered(syntax: str, definition: str) -> Tool:
        format = {"type": "grammar", "syntax": syntax, "definition": definition}
        assert http.post(PATH, json={"input": "Hi", "tools": [{**SHELL, "format": format}]}).status_code == 200
        [tool] = prompt_of(daemon).tools
        return tool

    assert 'start: "a"' in offered("lark", 'start: "a"').description
    assert offered("regex", "a+").parameters["properties"]["input"]["pattern"] == "^(?:a+)$"


def test_the_library_parses_into_a_model_of_pydantic(openai: OpenAI, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [delta(r, '{"city": "Rome"}'), finished(r)]
    response = openai.responses.parse(model="guide", input="Where?", text_format=Place)
    assert response.output_parsed == Place(city="Rome")
    constraint = daemon.scheduler.last.constraint
    assert isinstance(constraint, JsonSchema)
    assert constraint.schema == {**Place.model_json_schema(), "additionalProperties": False}
    openai.responses.create(model="guide", input="Where?", text={"format": {"type": "json_object"}})
    assert daemon.scheduler.last.constraint == JsonSchema(schema={"type": "object"}, param="text.format")


def test_a_loop_of_tools_ends_with_words(openai: OpenAI, daemon: Daemon) -> None:
    daemon.scheduler.script = thinks_speaks_and_calls
    tools: list[Any] = [WEATHER, SHELL]
    conversation: list[Any] = [{"role": "user", "content": "How is Rome?"}]
    first = openai.responses.create(model="guide", input=conversation, tools=tools, store=False)
    conversation += [item.model_dump(exclude_none=True) for item in first.output]
    for item in first.output:
        if item.type == "function_call":
            assert json.loads(item.arguments) == {"city": "Rome"}
            conversation.append({"type": "function_call_output", "call_id": item.call_id, "output": "sunny"})
        elif item.type == "custom_tool_call":
            assert item.input == 'ls "a"'
            conversation.append({"type": "custom_tool_call_output", "call_id": item.call_id, "output": "nothing"})
    daemon.scheduler.script = lambda r: [accepted(r), delta(r, "Sunny."), finished(r)]
    second = openai.responses.create(model="guide", input=conversation, tools=tools, store=False)
    assert second.output_text == "Sunny."
    said = prompt_of(daemon).messages[1]
    assert (said.reasoning, said.content, len(said.tool_calls)) == ("Let me see.", "I will look.", 2)


def test_thinking_that_a_client_only_carries_is_read_again(openai: OpenAI, daemon: Daemon) -> None:
    daemon.scheduler.script = thinks_speaks_and_calls
    include: list[Any] = ["reasoning.encrypted_content"]
    first = openai.responses.create(
        model="guide", input="Hi", include=include, reasoning={"summary": "auto"}, store=False
    )
    [reasoning, *_] = first.output
    assert reasoning.type == "reasoning"
    carried: Any = {"type": "reasoning", "summary": [], "encrypted_content": reasoning.encrypted_content}
    openai.responses.create(model="guide", input=[carried, {"role": "assistant", "content": "Yes."}], store=False)
    assert prompt_of(daemon).messages[0].reasoning == "Let me see."
    carried["encrypted_content"] = "gAAAA-somebody-else's"
    openai.responses.create(model="guide", input=[carried, {"role": "user", "content": "Hi"}], store=False)
    assert prompt_of(daemon).messages == (Message(role="user", content="Hi"),)


def test_the_async_library_gets_an_answer(daemon: Daemon) -> None:
    async def ask() -> str:
        async with library.AsyncOpenAI(
            base_url=f"{daemon.url}/v1", api_key="none", http_client=library.DefaultAsyncHttpxClient(trust_env=False)
        ) as client:
            return (await client.responses.create(model="guide", input="Hi")).output_text

    assert asyncio.run(ask()) == "Hello wörld"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": [{"type": "web_search_call", "id": "x"}]}, "input"),
        ({"input": [{"content": "x"}]}, "input[0].type"),
        ({"input": [{"role": "nobody", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "input[0].content[0]"),
        ({"input": [{"type": "function_call", "call_id": "x", "name": "f"}]}, "input[0].arguments"),
        ({"input": [{"type": "compaction", "encrypted_content": "x"}]}, "input[0]"),
        ({"input": "x", "temperature": 3}, "temperature"),
        ({"input": "x", "max_output_tokens": 0}, "max_output_tokens"),
        ({"input": "x", "top_logprobs": 21}, "top_logprobs"),
        ({"input": "x", "prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"input": "x", "moderation": {"model": "m"}}, "moderation"),
        ({"input": "x", "background": True, "store": False}, "store"),
        ({"input": "x", "previous_response_id": "resp_1", "conversation": "conv_1"}, "previous_response_id"),
        ({"input": "x", "text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"input": "x", "tools": [{"type": "function"}]}, "tools[0].name"),
        ({"input": "x", "tools": [WEATHER, WEATHER]}, "tools[1].name"),
        ({"input": "x", "tool_choice": "always"}, "tool_choice"),
        ({"input": "x", "tool_choice": {"type": "function", "name": "f"}}, "tool_choice"),
        ({"input": "x", "tools": [{"type": "web_search"}], "tool_choice": "required"}, "tool_choice"),
        ({"input": "x", "metadata": {"k": "v" * 513}}, "metadata.k"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(http: httpx.Client, body: dict[str, Any], param: str) -> None:
    response = http.post(PATH, json=body)
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"].startswith(param.partition(".k")[0])
    assert error["message"]


def test_an_unknown_model_is_named_with_its_nearest(openai: OpenAI) -> None:
    with pytest.raises(library.NotFoundError, match="did you mean 'guide'"):
        openai.responses.create(model="giude", input="Hi")

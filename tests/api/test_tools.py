"""Tools in `POST /v1/chat/completions`: what the engine is told of them, and how its calls are written."""

import json
from typing import Any

import httpx
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from appliance.core.events import RequestEvent, ToolCallDelta
from appliance.core.request import ChatPrompt, GenerateRequest, Message, Tool, ToolCall, ToolChoice
from tests.api.conftest import Daemon
from tests.fakes import accepted, delta, finished

HI: list[Any] = [{"role": "user", "content": "Hi"}]
PLACE = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "Look.", "parameters": PLACE, "strict": True},
}
CLOCK = {"type": "function", "function": {"name": "clock"}}
FUNCTIONS = [{"name": "weather", "description": "Look.", "parameters": PLACE}]
SHELL = {"type": "custom", "custom": {"name": "shell", "description": "Run."}}


def call(index: int, arguments: str, name: str | None = None) -> ToolCallDelta:
    return ToolCallDelta(index, f"call_{index}" if name else None, name, arguments)


def calling(*calls: ToolCallDelta, text: str = "") -> Any:
    """A script: some text, then the calls, each in an event of its own."""

    def script(request: GenerateRequest) -> list[RequestEvent]:
        said = [delta(request, text)] if text else []
        made = [delta(request, "", tool_calls=(each,)) for each in calls]
        return [accepted(request), *said, *made, finished(request, reason="tool_calls")]

    return script


TWO_CALLS = (
    call(0, "", "weather"),
    call(0, '{"city":'),
    call(0, ' "Aa"}'),
    call(1, '{"a"', "clock"),
    call(1, ": 1}"),
)
SHELL_CALL = (
    call(0, "", "shell"),
    call(0, '{"inp'),
    call(0, 'ut": "ls\\'),
    call(0, "n\\u00"),
    call(0, 'e9"'),
    call(0, "}"),
)


def post(http: httpx.Client, **fields: Any) -> httpx.Response:
    response = http.post("/v1/chat/completions", json={"messages": HI, **fields})
    assert response.status_code == 200, response.text
    return response


def choice_of(http: httpx.Client, **fields: Any) -> dict[str, Any]:
    """Ask for a whole answer that the library's types take as it is."""
    body = post(http, **fields).json()
    ChatCompletion.model_validate(body, strict=True)
    choice: dict[str, Any] = body["choices"][0]
    return choice


def deltas_of(http: httpx.Client, **fields: Any) -> list[dict[str, Any]]:
    """Ask for a stream, each chunk of which the library's types take as it is, and return what it adds."""
    lines = post(http, stream=True, **fields).text.splitlines()
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    return [chunk["choices"][0]["delta"] for chunk in chunks]


def prompt_of(daemon: Daemon) -> ChatPrompt:
    prompt = daemon.scheduler.last.prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt


def named(kind: str, name: str) -> dict[str, Any]:
    return {"type": kind, kind: {"name": name}}


def allowed(mode: str, *tools: dict[str, Any]) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


class TestInwards:
    def test_functions_reach_the_engine(self, http: httpx.Client, daemon: Daemon) -> None:
        post(http, tools=[WEATHER, CLOCK])
        assert prompt_of(daemon).tools == (
            Tool(name="weather", description="Look.", parameters=PLACE, is_strict=True),
            Tool(name="clock"),
        )

    def test_a_custom_tool_is_a_function_with_one_string(self, http: httpx.Client, daemon: Daemon) -> None:
        digits = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "[0-9]+"}}
        words = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: WORD"}}
        custom = [
            {"type": "custom", "custom": {"name": name, "format": each}}
            for name, each in (("digits", digits), ("words", words))
        ]
        post(http, tools=[SHELL, *custom])
        shell, digit, word = prompt_of(daemon).tools
        assert (shell.name, shell.description, shell.is_strict) == ("shell", "Run.", True)
        assert shell.parameters["properties"] == {"input": {"type": "string"}}
        assert shell.parameters["required"] == ["input"]
        assert digit.parameters["properties"]["input"]["pattern"] == "^(?:[0-9]+)$"
        assert "start: WORD" in word.description

    @pytest.mark.parametrize(
        ("asked", "choice", "tools"),
        [
            (None, ToolChoice(), ["weather", "shell"]),
            ("auto", ToolChoice(), ["weather", "shell"]),
            ("none", ToolChoice(mode="none"), ["weather", "shell"]),
            ("required", ToolChoice(mode="required"), ["weather", "shell"]),
            (named("function", "weather"), ToolChoice(mode="required", name="weather"), ["weather", "shell"]),
            (named("custom", "shell"), ToolChoice(mode="required", name="shell"), ["weather", "shell"]),
            (allowed("auto", named("custom", "shell")), ToolChoice(), ["shell"]),
            (allowed("required", named("function", "weather")), ToolChoice(mode="required"), ["weather"]),
        ],
    )
    def test_every_choice_of_tools_is_understood(
        self, http: httpx.Client, daemon: Daemon, asked: Any, choice: ToolChoice, tools: list[str]
    ) -> None:
        post(http, tools=[WEATHER, SHELL], tool_choice=asked)
        assert prompt_of(daemon).tool_choice == choice
        assert [tool.name for tool in prompt_of(daemon).tools] == tools

    def test_one_call_at_a_time_can_be_asked_for(self, http: httpx.Client, daemon: Daemon) -> None:
        post(http, tools=[WEATHER], parallel_tool_calls=False)
        assert prompt_of(daemon).tool_choice == ToolChoice(is_parallel=False)

    def test_calls_and_their_answers_come_back_in(self, http: httpx.Client, daemon: Daemon) -> None:
        calls = [
            {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Aa"}'}},
            {"id": "2", "function": {"name": "clock", "arguments": {"zone": "é"}}},
            {"id": "3", "type": "custom", "custom": {"name": "shell", "input": 'echo "hi"'}},
        ]
        messages = [
            *HI,
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "noon"}]},
            {"role": "tool", "tool_call_id": "1", "content": "rain"},
        ]
        post(http, messages=messages)
        assert prompt_of(daemon).messages[1:] == (
            Message(
                role="assistant",
                content="",
                tool_calls=(
                    ToolCall(id="1", name="weather", arguments='{"city": "Aa"}'),
                    ToolCall(id="2", name="clock", arguments='{"zone": "é"}'),
                    ToolCall(id="3", name="shell", arguments='{"input": "echo \\"hi\\""}'),
                ),
            ),
            Message(role="tool", content="noon", tool_call_id="2"),
            Message(role="tool", content="rain", tool_call_id="1"),
        )


class TestOutwards:
    def test_an_answer_of_calls_alone_has_no_content(self, http: httpx.Client, daemon: Daemon) -> None:
        daemon.scheduler.script = calling(*TWO_CALLS)
        choice = choice_of(http, tools=[WEATHER, CLOCK])
        assert choice["finish_reason"] == "tool_calls"
        assert choice["message"]["content"] is None
        assert choice["message"]["tool_calls"] == [
            {"id": "call_0", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Aa"}'}},
            {"id": "call_1", "type": "function", "function": {"name": "clock", "arguments": '{"a": 1}'}},
        ]

    def test_what_is_said_before_a_call_is_kept(self, http: httpx.Client, daemon: Daemon) -> None:
        daemon.scheduler.script = calling(*TWO_CALLS, text="Let me look.")
        message = choice_of(http, tools=[WEATHER, CLOCK])["message"]
        assert (message["content"], len(message["tool_calls"])) == ("Let me look.", 2)

    def test_a_streamed_call_has_its_head_first_and_once(self, http: httpx.Client, daemon: Daemon) -> None:
        daemon.scheduler.script = calling(*TWO_CALLS)
        opening, *deltas, last = deltas_of(http, tools=[WEATHER, CLOCK])
        assert opening == {"role": "assistant", "content": "", "refusal": None}
        assert [delta["tool_calls"] for delta in deltas] == [
            [{"index": 0, "id": "call_0", "type": "function", "function": {"name": "weather", "arguments": ""}}],
            [{"index": 0, "function": {"arguments": '{"city":'}}],
            [{"index": 0, "function": {"arguments": ' "Aa"}'}}],
            [{"index": 1, "id": "call_1", "type": "function", "function": {"name": "clock", "arguments": ""}}],
            [{"index": 1, "function": {"arguments": '{"a"'}}],
            [{"index": 1, "function": {"arguments": ": 1}"}}],
        ]
        assert last == {}

    def test_a_call_of_a_custom_tool_has_its_text(self, http: httpx.Client, daemon: Daemon) -> None:
        daemon.scheduler.script = calling(*SHELL_CALL)
        (made,) = choice_of(http, tools=[SHELL])["message"]["tool_calls"]
        assert made == {"id": "call_0", "type": "custom", "custom": {"name": "shell", "input": "ls\né"}}

    def test_the_text_for_a_custom_tool_is_streamed_without_its_json(self, http: httpx.Client, daemon: Daemon) -> None:
        daemon.scheduler.script = calling(*SHELL_CALL)
        # The library's types know no custom call in a stream; OpenAI sends it so all the same
        lines = post(http, stream=True, tools=[SHELL]).text.splitlines()
        chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
        made = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
        head = {"index": 0, "id": "call_0", "type": "custom", "custom": {"name": "shell", "input": ""}}
        assert made[0] == head
        assert all(set(more) == {"index", "custom"} for more in made[1:])
        assert "".join(each["custom"]["input"] for each in made) == "ls\né"
        assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


class TestLegacy:
    @pytest.mark.parametrize(
        ("asked", "choice"),
        [
            (None, ToolChoice(is_parallel=False)),
            ("none", ToolChoice(mode="none", is_parallel=False)),
            ({"name": "weather"}, ToolChoice(mode="required", name="weather", is_parallel=False)),
        ],
    )
    def test_functions_are_tools_of_which_one_is_called(
        self, http: httpx.Client, daemon: Daemon, asked: Any, choice: ToolChoice
    ) -> None:
        post(http, functions=FUNCTIONS, function_call=asked)
        assert prompt_of(daemon).tools == (Tool(name="weather", description="Look.", parameters=PLACE),)
        assert prompt_of(daemon).tool_choice == choice

    def test_the_call_is_answered_in_the_old_shape(self, http: httpx.Client, daemon: Daemon) -> None:
        daemon.scheduler.script = calling(*TWO_CALLS[:3])
        choice = choice_of(http, functions=FUNCTIONS)
        assert choice["finish_reason"] == "function_call"
        assert choice["message"]["function_call"] == {"name": "weather", "arguments": '{"city": "Aa"}'}
        assert choice["message"]["content"] is None
        assert "tool_calls" not in choice["message"]

    def test_the_call_is_streamed_in_the_old_shape(self, http: httpx.Client, daemon: Daemon) -> None:
        daemon.scheduler.script = calling(*TWO_CALLS[:3])
        _, *deltas, _ = deltas_of(http, functions=FUNCTIONS)
        assert [delta["function_call"] for delta in deltas] == [
            {"name": "weather", "arguments": ""},
            {"arguments": '{"city":'},
            {"arguments": ' "Aa"}'},
        ]

    def test_old_turns_come_back_in_as_a_call_and_its_answer(self, http: httpx.Client, daemon: Daemon) -> None:
        messages = [
            *HI,
            {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}},
            {"role": "function", "name": "weather", "content": "rain"},
        ]
        post(http, messages=messages, functions=FUNCTIONS)
        made, answer = prompt_of(daemon).messages[1:]
        assert [(each.name, each.arguments) for each in made.tool_calls] == [("weather", "{}")]
        assert (answer.role, answer.name, answer.content) == ("tool", "weather", "rain")
        assert answer.tool_call_id == made.tool_calls[0].id

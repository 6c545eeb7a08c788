"""Chats with tools and thinking, through the engine: the parrot says what it is told, and the engine understands it."""

import json
from typing import Any

import msgspec
import pytest

from appliance.core.events import Delta
from appliance.core.request import (
    ChatPrompt,
    GenerateRequest,
    JsonSchema,
    Message,
    Reasoning,
    RequestId,
    Tool,
    ToolChoice,
)
from appliance.core.sampling import SamplingParams, StopConditions
from appliance.errors import InvalidRequest
from tests.unit.engine.chat.transcripts import TOOLS
from tests.unit.engine.engine_bench import GREEDY, Bench

CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
NOW = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
CHATS = pytest.mark.parametrize("chat", ["plain", "hermes"])


def asking(text: str, *, tools: tuple[Tool, ...] = TOOLS, **fields: Any) -> GenerateRequest:
    prompt_fields = {key: fields.pop(key) for key in ("tool_choice", "reasoning", "continues_last") if key in fields}
    prompt = ChatPrompt(messages=(Message(role="user", content=text),), tools=tools, **prompt_fields)
    fields.setdefault("sampling", GREEDY)
    return GenerateRequest(id=RequestId("a"), model="parrot", prompt=prompt, **fields)


def bench(chat: str = "hermes") -> Bench:
    return Bench(f"echo:?chat={chat}&emphasis=40", context_tokens=4096)


def calls(bench: Bench) -> list[tuple[str, str]]:
    found: list[list[str]] = []
    for delta in bench.of(Delta):
        for call in delta.tool_calls:
            if call.name is not None:
                assert call.index == len(found)
                assert call.id is not None
                found.append([call.name, ""])
            found[call.index][1] += call.arguments
    return [(name, arguments) for name, arguments in found]


def thought(bench: Bench) -> str:
    return "".join(delta.reasoning for delta in bench.of(Delta))


@CHATS
def test_a_call_is_reported_and_none_of_its_tags(chat: str) -> None:
    run = bench(chat).start(asking(f"I look.\n{CALL}\n{NOW}")).run()
    assert calls(run) == [("get_weather", '{"city": "Oslo"}'), ("now", "{}")]
    assert run.text("a") == "I look."
    assert run.finished("a").reason == "tool_calls"


@CHATS
def test_thoughts_are_told_apart_and_counted(chat: str) -> None:
    run = bench(chat).start(asking("<think>\nHm.\n</think>\n\nYes.", tools=())).run()
    assert (thought(run), run.text("a")) == ("Hm.", "Yes.")
    usage = run.finished("a").usage
    assert 0 < usage.reasoning_tokens < usage.completion_tokens
    assert run.finished("a").reason == "stop"


def test_thinking_that_the_template_began_is_thought() -> None:
    run = bench("thinking").start(asking("Hm.\n</think>\n\nYes.", tools=())).run()
    assert (thought(run), run.text("a")) == ("Hm.", "Yes.")


def test_thinking_can_be_switched_off() -> None:
    run = bench("thinking").start(asking("Yes.", tools=(), reasoning=Reasoning(effort="none"))).run()
    assert (thought(run), run.text("a"), run.finished("a").usage.reasoning_tokens) == ("", "Yes.", 0)


def test_a_model_that_only_thinks_may_end_where_no_call_is_asked_for() -> None:
    run = bench("thinking").start(asking("Hm.")).run()
    assert (thought(run), run.text("a"), run.finished("a").reason) == ("Hm.", "", "stop")


def test_long_thinking_is_ended() -> None:
    budget = Reasoning(max_tokens=10)
    run = bench("thinking").start(asking("x" * 50 + "</think>Yes.", tools=(), reasoning=budget)).run()
    assert thought(run) == "x" * 10
    assert run.finished("a").usage.reasoning_tokens == 10 + len("\n</think>")
    assert run.text("a").endswith("Yes.")


def test_who_has_to_call_does_whatever_the_model_would_say() -> None:
    warm = SamplingParams(temperature=1.0, seed=3)
    run = bench().start(asking("Tell me.", tool_choice=ToolChoice(mode="required"), sampling=warm)).run()
    assert run.finished("a").reason == "tool_calls"
    assert run.text("a") == ""
    assert all(name in {tool.name for tool in TOOLS} for name, _ in calls(run))
    assert all(isinstance(json.loads(arguments), dict) for _, arguments in calls(run))


def test_a_named_tool_is_called_after_the_thinking() -> None:
    choice = ToolChoice(mode="required", name="now")
    run = bench("thinking").start(asking("Hm.</think>No, I will not.", tool_choice=choice)).run()
    assert (thought(run), run.text("a")) == ("Hm.", "")
    assert calls(run) == [("now", "{}")]


def test_arguments_obey_the_schema_where_the_model_may_call() -> None:
    wrong = '<tool_call>\n{"name": "get_weather", "arguments": {"days": "many"}}\n</tool_call>'
    ((name, arguments), *_) = calls(bench().start(asking(wrong)).run())
    assert name == "get_weather"
    assert isinstance(json.loads(arguments)["city"], str)


def test_a_constraint_shapes_the_answer_after_the_thinking_and_beside_the_tools() -> None:
    schema = JsonSchema(schema={"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}, param="x")
    run = bench("thinking").start(asking("Hm.</think>{}", tools=(), constraint=schema)).run()
    assert thought(run) == "Hm."
    assert json.loads(run.text("a"))["a"] == 1
    beside = bench().start(asking(CALL, constraint=schema)).run()
    assert calls(beside) == [("get_weather", '{"city": "Oslo"}')]


def test_tool_choice_none_shows_no_tools_and_reads_no_calls() -> None:
    request = asking(CALL, tool_choice=ToolChoice(mode="none"))
    run = bench().start(request).run()
    assert run.text("a") == CALL
    assert run.finished("a").reason == "stop"
    assert isinstance(request.prompt, ChatPrompt)
    assert "get_weather" not in run.reader.render(request.prompt).partition("<|im_start|>user")[0]


def test_calls_end_after_the_first_where_they_are_not_parallel() -> None:
    run = bench().start(asking(f"{CALL}\n{NOW}", tool_choice=ToolChoice(is_parallel=False))).run()
    assert calls(run) == [("get_weather", '{"city": "Oslo"}')]
    assert run.finished("a").reason == "tool_calls"


def test_a_stop_string_is_named_and_does_not_count_in_thoughts() -> None:
    stop = StopConditions(strings=("END",))
    run = bench().start(asking("<think>END</think>Well END more", tools=(), stop=stop)).run()
    assert (thought(run), run.text("a")) == ("END", "Well ")
    assert (run.finished("a").reason, run.finished("a").stop_string) == ("stop", "END")


def test_an_answer_that_is_cut_says_so_even_after_a_call() -> None:
    run = bench().start(asking(f"{NOW} and more words", stop=StopConditions(max_tokens=len(NOW) - 20))).run()
    assert run.finished("a").reason == "length"


def test_the_assistants_last_words_are_continued() -> None:
    request = asking("Good day to you", tools=())
    assert isinstance(request.prompt, ChatPrompt)
    said = (*request.prompt.messages, Message(role="assistant", content="Good "))
    prompt = msgspec.structs.replace(request.prompt, messages=said, continues_last=True)
    run = bench().start(msgspec.structs.replace(request, prompt=prompt)).run()
    assert run.text("a") == "day to you"


def test_a_choice_among_no_tools_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="a tool has to be called") as refused:
        bench().start(asking("x", tools=(), tool_choice=ToolChoice(mode="required")))
    assert refused.value.param == "tool_choice"
    with pytest.raises(InvalidRequest, match="'never' has to be called"):
        bench().start(asking("x", tool_choice=ToolChoice(mode="required", name="never")))


def test_a_strict_schema_that_cannot_be_enforced_is_refused_and_another_is_not() -> None:
    odd = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?<=x)y"}}}
    with pytest.raises(InvalidRequest) as refused:
        bench().start(asking("x", tools=(Tool(name="f", parameters=odd, is_strict=True),)))
    assert refused.value.param == "tools[0]"
    with pytest.raises(InvalidRequest):
        bench().start(asking("x", tools=(Tool(name="f", parameters=odd),), tool_choice=ToolChoice(mode="required")))
    run = bench().start(asking("Hello.", tools=(Tool(name="f", parameters=odd),))).run()
    assert run.text("a") == "Hello."

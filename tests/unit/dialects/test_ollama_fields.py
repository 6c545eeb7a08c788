"""What the fields of Ollama's API mean in core."""

import math
from typing import Any

import msgspec
import pytest

from appliance.core.request import ChatPrompt, FillPrompt, JsonSchema, Message, RequestId, TextPrompt
from appliance.core.sampling import SamplingParams
from appliance.dialects.decode import decode_json
from appliance.dialects.ollama.call import check_template
from appliance.dialects.ollama.chat import ChatRequest, chat_to_core
from appliance.dialects.ollama.generate import GenerateBody, generate_to_core, prompt_of
from appliance.dialects.ollama.keep_alive import keep_alive_s
from appliance.dialects.ollama.options import Options, check_num_ctx, merged, sampling_of, stop_of
from appliance.errors import InvalidRequest
from models.manifest import ModelPreset
from tests.normalized import normalized

HI = [{"role": "user", "content": "Hi"}]


def core_of(**fields: Any) -> Any:
    wire = decode_json(msgspec.json.encode({"messages": HI, **fields}), ChatRequest)
    return chat_to_core(normalized(wire), RequestId("r"), "m", None)


def messages_of(*messages: dict[str, Any]) -> tuple[Message, ...]:
    messages_: tuple[Message, ...] = core_of(messages=messages).prompt.messages
    return messages_


def generated(**fields: Any) -> Any:
    wire = decode_json(msgspec.json.encode(fields), GenerateBody)
    return generate_to_core(wire, RequestId("r"), "m", prompt_of(wire, None, is_chat=True), None)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        (0, 0),
        ("0", 0),
        ("0s", 0),
        (-1, math.inf),
        ("-1", math.inf),
        ("-1m", math.inf),
        (300, 300),
        ("300", 300),
        (2.5, 2.5),
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("+90s", 90),
        ("250ms", 0.25),
    ],
)
def test_a_keep_alive_is_a_number_or_a_duration_of_go(value: Any, seconds: float | None) -> None:
    assert keep_alive_s(value) == seconds


@pytest.mark.parametrize("value", ["soon", "5 m", "m5", "5m3", "--1", "1e9", "9" * 1000, "١m"])
def test_what_is_no_duration_is_refused_by_name(value: str) -> None:
    with pytest.raises(InvalidRequest, match="5m") as caught:
        keep_alive_s(value)
    assert caught.value.param == "keep_alive"


def test_without_options_the_defaults_are_those_that_ollama_documents() -> None:
    core = core_of()
    assert core.sampling == SamplingParams(temperature=0.8, top_k=40, top_p=0.9, repeat_penalty=1.0)
    assert core.stop.max_tokens is None
    assert core.keep_alive_s is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"temperature": 0}, {"temperature": 0.0}),
        ({"top_k": -1}, {"top_k": 0}),
        ({"top_k": 10.0}, {"top_k": 10}),
        ({"top_k": 1e300}, {"top_k": 2**31 - 1}),
        ({"top_p": 1.5}, {"top_p": 1.0}),
        ({"min_p": 0.05}, {"min_p": 0.05}),
        ({"typical_p": 0.7}, {"typical_p": 0.7}),
        ({"typical_p": 0}, {"typical_p": 1.0}),
        ({"seed": 42}, {"seed": 42}),
        ({"seed": -1}, {"seed": None}),
        ({"seed": -2}, {"seed": 2**64 - 2}),
        ({"repeat_penalty": 1.1}, {"repeat_penalty": 1.1, "repeat_window_tokens": 64}),
        ({"repeat_penalty": 1.1, "repeat_last_n": 33}, {"repeat_penalty": 1.1, "repeat_window_tokens": 33}),
        ({"repeat_penalty": 1.1, "repeat_last_n": -1}, {"repeat_window_tokens": 2**31 - 1}),
        ({"repeat_penalty": 1.1, "repeat_last_n": 0}, {"repeat_penalty": 1.0}),
        ({"presence_penalty": 1.5, "frequency_penalty": 1.0}, {"presence_penalty": 1.5, "frequency_penalty": 1.0}),
        ({"num_gpu": 1, "num_thread": 8, "use_mmap": True, "mirostat": 0, "tfs_z": 1.0, "temperature": None}, {}),
    ],
)
def test_every_option_has_its_meaning(options: dict[str, Any], expected: dict[str, Any]) -> None:
    sampling = core_of(options=options).sampling
    assert {name: getattr(sampling, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("options", "max_tokens", "strings"),
    [
        ({"num_predict": 128}, 128, ()),
        ({"num_predict": -1}, None, ()),
        ({"num_predict": -2}, None, ()),
        ({"num_predict": 1e300}, 2**31 - 1, ()),
        ({"stop": "END"}, None, ("END",)),
        ({"stop": ["a", "", "b"]}, None, ("a", "b")),
    ],
)
def test_an_answer_ends_where_the_options_say(
    options: dict[str, Any], max_tokens: int | None, strings: tuple[str, ...]
) -> None:
    stop = core_of(options=options).stop
    assert (stop.max_tokens, stop.strings) == (max_tokens, strings)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"options": {"mirostat": 2}}, "mirostat"),
        ({"options": {"tfs_z": 0.5}}, "tfs_z"),
        ({"options": {"temperature": -1}}, "options.temperature"),
        ({"options": {"repeat_penalty": 0}}, "options.repeat_penalty"),
        ({"options": {"top_k": "many"}}, "options.top_k"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"format": "xml"}, "JSON schema"),
        ({"think": "a lot"}, "'high'"),
        ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": "?", "images": ["aGk="]}]}, "messages[0].images"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "[1]"}}]}]},
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "[" * 9999}}]}]},
            "messages[0].tool_calls[0].function.arguments",
        ),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ],
)
def test_what_has_no_meaning_is_refused_with_its_place(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        core_of(**fields)
    assert said in caught.value.message


def test_a_caller_goes_before_the_maker_of_a_model() -> None:
    preset = ModelPreset(parameters={"temperature": 0.1, "num_predict": 5, "stop": ["x"]})
    both = merged(Options(temperature=0.5, seed=None), preset)
    assert (both.temperature, both.num_predict, both.stop) == (0.5, 5, ["x"])
    assert stop_of(both).max_tokens == 5
    assert sampling_of(both).temperature == 0.5


@pytest.mark.parametrize(("num_ctx", "is_served"), [(None, True), (100, True), (2048, True), (4096, False)])
def test_a_context_is_served_when_the_model_has_it(num_ctx: int | None, is_served: bool) -> None:
    if is_served:
        check_num_ctx(Options(num_ctx=num_ctx), "m", 2048)
        return
    with pytest.raises(InvalidRequest, match=r"4096.*2048 tokens here"):
        check_num_ctx(Options(num_ctx=num_ctx), "m", 2048)


def test_more_context_than_a_model_was_made_for_means_all_of_it() -> None:
    check_num_ctx(normalized(Options(num_ctx=10**6), trained_context_tokens=2048), "m", 2048)
    with pytest.raises(InvalidRequest, match="1000000"):
        check_num_ctx(normalized(Options(num_ctx=10**6), "grown_num_ctx", trained_context_tokens=2048), "m", 2048)


def test_json_and_a_schema_shape_the_answer() -> None:
    assert core_of(format="json").constraint == JsonSchema(schema={"type": "object"}, param="format")
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}}
    assert core_of(format=schema).constraint == JsonSchema(schema=schema, param="format")
    assert core_of(format="").constraint is None


@pytest.mark.parametrize(
    ("think", "effort"),
    [(None, None), (True, "medium"), (False, "none"), ("low", "low"), ("medium", "medium"), ("high", "high")],
)
def test_thinking_is_switched_and_measured(think: Any, effort: str | None) -> None:
    assert core_of(think=think).prompt.reasoning.effort == effort


def test_logprobs_are_asked_for_with_or_without_others() -> None:
    asked = [{}, {"logprobs": True}, {"logprobs": True, "top_logprobs": 3}, {"top_logprobs": 3}]
    assert [core_of(**fields).logprobs for fields in asked] == [None, 0, 3, None]


def test_results_of_tools_find_the_calls_that_they_answer() -> None:
    call = {"function": {"name": "f", "arguments": {"x": 1}}}
    other = {"id": "mine", "function": {"name": "g", "arguments": '{"y": 2}'}}
    messages = messages_of(
        *HI,
        {"role": "assistant", "thinking": "hm", "tool_calls": [call, other, call]},
        {"role": "tool", "tool_name": "g", "content": "two"},
        {"role": "tool", "tool_name": "f", "content": "one"},
        {"role": "tool", "content": "three"},
        {"role": "tool", "tool_call_id": "else", "tool_name": "h", "content": "four"},
    )
    said, results = messages[1], messages[2:]
    assert (said.content, said.reasoning) == ("", "hm")
    assert [(c.id, c.name, c.arguments) for c in said.tool_calls] == [
        ("call_1_0", "f", '{"x":1}'),
        ("mine", "g", '{"y":2}'),
        ("call_1_2", "f", '{"x":1}'),
    ]
    assert [(r.name, r.tool_call_id) for r in results] == [
        ("g", "mine"),
        ("f", "call_1_0"),
        ("f", "call_1_2"),
        ("h", "else"),
    ]


def test_an_answer_that_was_begun_is_continued() -> None:
    begun = core_of(messages=[*HI, {"role": "assistant", "content": "Well,"}]).prompt
    assert begun.continues_last
    assert not core_of().prompt.continues_last


def test_tools_come_with_their_parameters() -> None:
    function = {"name": "f", "description": "Do it.", "parameters": {"type": "object"}}
    (tool,) = core_of(tools=[{"type": "function", "function": function}]).prompt.tools
    assert (tool.name, tool.description, tool.parameters) == ("f", "Do it.", {"type": "object"})


def test_a_prompt_becomes_a_conversation_unless_it_is_raw_or_a_gap() -> None:
    user = Message(role="user", content="Hi")
    assert generated(prompt="Hi").prompt == ChatPrompt(messages=(user,))
    told = generated(prompt="Hi", system="Be brief.").prompt
    assert told == ChatPrompt(messages=(Message(role="system", content="Be brief."), user))
    assert generated(prompt="Hi", raw=True, system="no").prompt == TextPrompt(text="Hi")
    assert generated(prompt="a", suffix="b").prompt == FillPrompt(prefix="a", suffix="b")
    assert [generated(prompt="Hi", raw=raw).returns_tokens for raw in (False, True)] == [True, False]


def test_a_model_without_a_template_continues_the_prompt_itself() -> None:
    wire = GenerateBody(prompt="Hi")
    assert prompt_of(wire, None, is_chat=False) == TextPrompt(text="Hi")
    preset = ModelPreset(system="Be brief.")
    assert prompt_of(wire, preset, is_chat=False) == TextPrompt(text="Be brief.\n\nHi")


def test_an_earlier_exchange_goes_before_a_prompt_but_into_no_gap() -> None:
    assert generated(prompt="Hi", context=[1, 2]).context == (1, 2)
    with pytest.raises(InvalidRequest, match="exclude each other"):
        generated(prompt="a", suffix="b", context=[1])


def test_only_the_models_own_template_is_rendered() -> None:
    check_template("{{ prompt }}\n", "{{ prompt }}")
    check_template("", "{{ prompt }}")
    with pytest.raises(InvalidRequest, match="raw"):
        check_template("{{ .Prompt }}", "{{ prompt }}")


def test_images_are_refused_and_none_of_them_is_fine() -> None:
    assert generated(prompt="Hi", images=[]).prompt
    with pytest.raises(InvalidRequest, match="images"):
        generated(prompt="Hi", images=["aGk="])

"""Conversations as templates of many kinds are given them; those here are small ones in the style of each kind."""

from typing import Any

import pytest

from appliance.core.request import ChatPrompt, Message, Reasoning, Tool, ToolCall, ToolChoice
from appliance.engine.chat.family_choice import family_of
from appliance.engine.chat.speech import ChatFormat
from appliance.errors import InvalidRequest
from tests.unit.engine.chat.markers import MarkerTokenizer

PLAIN = (
    "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[me] {% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + PLAIN
CALLS = (
    "{# <tool_call> #}"
    "{% for t in tools or [] %}<{{ t.function.name }}: {{ t.function.parameters | tojson }}>\n{% endfor %}"
    "{% for m in messages %}[{{ m.role }}{{ ' ' + m.name if m.name }}] {{ m.content }}"
    "{% for c in m.tool_calls or [] %} CALL {{ c.function.name }} ARGUMENTS #{{ c.id }}{% endfor %}"
    "{{ ' #' + m.tool_call_id if m.tool_call_id }}\n{% endfor %}{% if add_generation_prompt %}[me] {% endif %}"
)
MAPS = CALLS.replace("ARGUMENTS", "{{ c.function.arguments | tojson }}")
ITEMS = CALLS.replace("ARGUMENTS", "{% for k, v in c.function.arguments.items() %}{{ k }}={{ v }};{% endfor %}")
TEXTS = CALLS.replace("ARGUMENTS", "{{ c.function.arguments + '' }}")
PRINTS = CALLS.replace("ARGUMENTS", "{{ c.function.arguments }}")
SINGLE = (
    "{% for m in messages %}{% if (m.tool_calls or []) | length > 1 %}{{ raise_exception('one') }}{% endif %}"
    "{% endfor %}" + MAPS
)
SHORT = (
    "{% for m in messages %}{% for c in m.tool_calls or [] %}"
    "{% if c.id | length != 9 %}{{ raise_exception('ids have nine characters') }}{% endif %}{% endfor %}{% endfor %}"
    + MAPS
)
PARTS = (
    "{% for m in messages %}[{{ m.role }}]{% for p in m.content %} {{ p.type }}:{{ p.text }}{% endfor %}{% endfor %}"
)
NEEDS_LIST = "{% for t in tools %}{{ t.function.name }}\n{% endfor %}" + PLAIN
TRIMS = PLAIN.replace("m.content }}", "m.content | trim }}<end>")
THINKS = (
    PLAIN + "{% if add_generation_prompt %}"
    "{{ '<think>\n\n</think>\n\n' if enable_thinking is defined and not enable_thinking else '' }}{% endif %}"
)
OPENS = PLAIN + "{% if add_generation_prompt %}<think>\n{% endif %}"
EFFORT = "effort={{ reasoning_effort }}\n" + PLAIN

OSLO = ToolCall(id="call_0123456789abcdef01234567", name="weather", arguments='{"city": "Oslo"}')
NOW = ToolCall(id="call_1", name="now", arguments="{}")
TOOLS = (Tool(name="weather", description="of a city", parameters={"type": "object"}), Tool(name="now"))
USER = Message(role="user", content="Hi")


def make(template: str | None) -> ChatFormat:
    return ChatFormat(MarkerTokenizer([], template))


def render(template: str | None, *messages: Message, **fields: Any) -> str:
    return make(template).render(ChatPrompt(messages=messages, **fields))


def calling(*calls: ToolCall, content: str = "", **fields: Any) -> Message:
    return Message(role="assistant", content=content, tool_calls=calls, **fields)


def result(call: ToolCall, content: str) -> Message:
    return Message(role="tool", content=content, tool_call_id=call.id)


def test_tools_calls_and_results_are_given_to_a_template_that_knows_them() -> None:
    assert render(MAPS, USER, calling(OSLO, content="Well."), result(OSLO, "sun"), tools=TOOLS) == (
        '<weather: {"type": "object"}>\n<now: {"type": "object", "properties": {}}>\n[user] Hi\n'
        f'[assistant] Well. CALL weather {{"city": "Oslo"}} #{OSLO.id}\n[tool weather] sun #{OSLO.id}\n[me] '
    )


@pytest.mark.parametrize(
    ("template", "written"),
    [
        (MAPS, '{"city": "Oslo"}'),
        (ITEMS, "city=Oslo;"),
        (TEXTS, '{"city": "Oslo"}'),
        (PRINTS, '{"city": "Oslo"}'),
    ],
)
def test_arguments_are_a_mapping_or_a_text_as_the_template_reads_them(template: str, written: str) -> None:
    assert f"CALL weather {written} #" in render(template, USER, calling(OSLO))


def test_arguments_that_are_no_json_are_shown_to_the_model_as_it_wrote_them() -> None:
    broken = ToolCall(id="a", name="weather", arguments='{"city": Oslo')
    assert 'CALL weather {"arguments": "{\\"city\\": Oslo"} #a' in render(MAPS, USER, calling(broken))


def test_half_of_a_pair_of_characters_in_an_argument_can_be_tokenized() -> None:
    half = ToolCall(id="a", name="weather", arguments='{"city": "\\ud800"}')
    assert 'CALL weather {"city": "?"}' in render(MAPS, USER, calling(half))


def test_a_template_without_tools_gets_them_described_and_the_rest_as_text() -> None:
    text = render(PLAIN, USER, calling(OSLO, NOW, content="Well."), result(OSLO, "sun"), result(NOW, "9"), tools=TOOLS)
    head, _, rest = text.partition("[user] Hi\n")
    assert head.startswith("[system] You can call functions.")
    assert '{"name": "weather", "description": "of a city", "parameters": {"type": "object"}}' in head
    assert rest == (
        '[assistant] Well.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>\n'
        "[user] <tool_response>\nsun\n</tool_response>\n<tool_response>\n9\n</tool_response>\n[me] "
    )


def test_a_way_to_call_that_nobody_knows_is_not_shown() -> None:
    text = render(MAPS.replace("<tool_call>", "<unheard-of>"), USER, calling(OSLO), result(OSLO, "sun"), tools=TOOLS)
    assert text.startswith("[system] You can call functions.")
    assert "CALL" not in text
    assert '{"name": "weather", "arguments": {"city": "Oslo"}}' in text
    assert "[user] <tool_response>\nsun" in text


def test_the_description_joins_the_systems_own_words() -> None:
    text = render(PLAIN, Message(role="system", content="Be brief."), USER, tools=TOOLS)
    assert text.startswith("[system] Be brief.\n\nYou can call functions.")
    assert text.count("[system]") == 1


def test_a_template_without_a_system_gets_its_words_with_the_users() -> None:
    assert render(NO_SYSTEM, Message(role="system", content="Be brief."), USER) == "[user] Be brief.\n\nHi\n[me] "


def test_a_template_that_takes_one_call_at_a_time_gets_each_with_its_result() -> None:
    text = render(SINGLE, USER, calling(OSLO, NOW, content="Well."), result(NOW, "9"), result(OSLO, "sun"), tools=TOOLS)
    lines = [line.partition(" #")[0] for line in text.splitlines() if "CALL" in line or "[tool" in line]
    assert lines == [
        '[assistant] Well. CALL weather {"city": "Oslo"}',
        "[tool weather] sun",
        "[assistant]  CALL now {}",
        "[tool now] 9",
    ]


def test_ids_are_as_short_as_the_template_wants_them_and_still_belong_together() -> None:
    text = render(SHORT, USER, calling(OSLO), result(OSLO, "sun"), tools=TOOLS)
    ids = [part.split()[0] for part in text.split("#")[1:]]
    assert len(ids) == 2
    assert ids[0] == ids[1]
    assert len(ids[0]) == 9
    assert ids[0].isalnum()


def test_contents_come_in_parts_where_the_template_reads_parts() -> None:
    assert render(PARTS, USER) == "[user] text:Hi"


def test_no_tools_are_an_empty_list_where_the_template_cannot_do_without() -> None:
    assert render(NEEDS_LIST, USER) == "[user] Hi\n[me] "


def test_tool_choice_none_shows_no_tools() -> None:
    assert "weather" not in render(MAPS, USER, tools=TOOLS, tool_choice=ToolChoice(mode="none"))


@pytest.mark.parametrize("template", [None, PLAIN, TRIMS])
def test_the_last_message_is_continued_to_its_last_space(template: str | None) -> None:
    text = render(template, USER, Message(role="assistant", content="Once upon "), continues_last=True)
    assert text.endswith("Once upon ")
    assert text.count("assistant") + text.count("[me]") == 1


def test_an_empty_last_message_is_begun() -> None:
    assert render(PLAIN, USER, Message(role="assistant", content=""), continues_last=True) == "[user] Hi\n[me] "


def test_only_the_assistants_message_is_continued() -> None:
    with pytest.raises(InvalidRequest, match="only a message of the assistant"):
        render(PLAIN, USER, continues_last=True)


def test_a_thought_is_continued_as_a_thought() -> None:
    prompt = ChatPrompt(
        messages=(USER, Message(role="assistant", content="", reasoning="I should")), continues_last=True
    )
    chat = make(THINKS)
    rendered = chat.render(prompt)
    assert rendered == "[user] Hi\n[me] <think>\nI should"
    assert chat.speech(prompt, rendered, has_constraint=False).parser().is_thinking


def test_thinking_is_switched_by_the_templates_own_variable() -> None:
    assert render(THINKS, USER).endswith("[me] ")
    assert render(THINKS, USER, reasoning=Reasoning(effort="none")).endswith("[me] <think>\n\n</think>\n\n")
    assert render(THINKS, USER, reasoning=Reasoning(max_tokens=0)).endswith("[me] <think>\n\n</think>\n\n")
    wish = {"enable_thinking": True}
    assert render(THINKS, USER, reasoning=Reasoning(effort="none"), template_kwargs=wish).endswith("[me] ")


def test_thinking_that_the_template_always_begins_is_ended_at_once() -> None:
    assert render(OPENS, USER, reasoning=Reasoning(effort="none")).endswith("[me] <think>\n\n</think>\n\n")


@pytest.mark.parametrize(
    ("effort", "word"), [("none", "low"), ("minimal", "low"), ("medium", "medium"), ("xhigh", "high")]
)
def test_effort_is_named_as_templates_know_it(effort: Any, word: str) -> None:
    assert render(EFFORT, USER, reasoning=Reasoning(effort=effort)).startswith(f"effort={word}\n")


def test_an_answer_begins_in_the_thinking_that_the_prompt_began() -> None:
    chat = make(OPENS)
    prompt = ChatPrompt(messages=(USER,))
    assert chat.speech(prompt, chat.render(prompt), has_constraint=False).parser().is_thinking
    off = ChatPrompt(messages=(USER,), reasoning=Reasoning(effort="none"))
    assert not chat.speech(off, chat.render(off), has_constraint=False).parser().is_thinking


def test_control_tokens_are_shown_where_they_mean_something() -> None:
    template = MAPS + "{# <tool_call> <think> enable_thinking #}"
    chat = ChatFormat(MarkerTokenizer(["<tool_call>", "</tool_call>", "<think>", "</think>", "<other>"], template))
    with_tools, without = ChatPrompt(messages=(USER,), tools=TOOLS), ChatPrompt(messages=(USER,))
    shown = chat.speech(with_tools, chat.render(with_tools), has_constraint=False).markers
    assert set(shown.values()) == {b"<tool_call>", b"</tool_call>", b"<think>", b"</think>"}
    assert set(chat.speech(without, "", has_constraint=False).markers.values()) == {b"<think>", b"</think>"}


def test_harmony_without_thinking_is_begun_in_the_final_channel() -> None:
    template = PLAIN + "{# <|channel|>analysis<|message|> #}"
    off = ChatPrompt(messages=(USER,), reasoning=Reasoning(effort="none"))
    chat = make(template)
    rendered = chat.render(off)
    assert rendered.endswith("<|channel|>final<|message|>")
    speech = chat.speech(off, rendered, has_constraint=True)
    assert not speech.parser().is_thinking
    assert speech.tools_grammar is None


def test_a_thought_and_words_before_a_call_are_one_thought_for_harmony() -> None:
    template = MAPS.replace("{{ m.content }}", "{{ m.thinking }}|{{ m.content }}") + "{# <|channel|><|message|> #}"
    said = calling(OSLO, content="I look.", reasoning="Hm.")
    assert "[assistant] Hm.\n\nI look.| CALL weather" in render(template, USER, said)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("<tool_call>", "hermes"),
        ("<tool_call> <function= <parameter=", "qwen-coder"),
        ("<|python_tag|>", "llama"),
        ("[TOOL_CALLS]", "mistral"),
        ("[TOOL_CALLS] [ARGS]", "mistral-named"),
        ("<｜tool▁calls▁begin｜> ```json", "deepseek"),
        ("<tool_call> <arg_key>", "glm"),
        ("<start_of_turn>", "gemma"),
        ("<start_of_turn> <start_function_call>", "function-gemma"),
        ("<|tool_call>", "gemma-4"),
        ("<|tool_call|>", "phi"),
        ("<|channel|> <|message|>", "harmony"),
        ("<|im_start|>", "generic"),
    ],
)
def test_a_family_is_known_by_its_words(words: str, name: str) -> None:
    assert family_of(words).name == name
    assert family_of(None).name == "generic"

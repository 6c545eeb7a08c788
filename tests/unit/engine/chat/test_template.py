import json
from datetime import datetime
from typing import Any

import msgspec
import pytest

from appliance.core.request import Message
from appliance.engine.chat.template import ChatTemplate
from appliance.errors import BackendError, InvalidRequest

HELLO = (Message(role="user", content="Hello"),)
TALK = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="Hi"),
    Message(role="assistant", content="Yes?"),
    Message(role="user", content="Bye"),
)

LLAMA_LIKE = """{{- bos_token }}
{%- if not date is defined %}
    {%- set date = strftime_now("%d %b %Y") %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system = "" %}
{%- endif %}
{{- "<|start|>system<|end|>\\nToday: " + date + "\\n" + system + "<|eot|>" }}
{%- if tools is not none %}{{ raise_exception("tools came without being asked for") }}{% endif %}
{%- for message in messages %}
    {{- '<|start|>' + message['role'] + '<|end|>\\n' + message['content'] | trim + '<|eot|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start|>assistant<|end|>\\n' }}
{%- endif %}
"""

GEMMA_LIKE = """{{ bos_token }}
{%- if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{% for message in messages %}
    {% if (message.role == 'user') != (loop.index0 % 2 == 0) %}
        {{ raise_exception('Roles must alternate user/assistant') }}
    {% endif %}
{% set role = 'model' if message.role == 'assistant' else message.role %}
{{ '<turn>' + role + '\\n' + message.content | trim + '</turn>\\n' }}
{%- endfor %}
{% if add_generation_prompt %}<turn>model
{% endif %}
"""

NAMESPACE_LIKE = """{%- set ns = namespace(found=false, system='') -%}
{%- for message in messages -%}
    {%- if message.role == 'system' -%}{%- set ns.system = message.content -%}{%- continue -%}{%- endif -%}
    {%- if not ns.found and ns.system -%}[{{ ns.system }}]{%- set ns.found = true -%}{%- endif -%}
    {%- if message.role == 'assistant' -%}
        {% generation %}{{ message.content }}{{ eos_token }}{% endgeneration %}
    {%- else -%}
        <{{ message.name or message.role }}> {{ message.content }}
    {%- endif -%}
{%- endfor -%}
{%- if enable_thinking is defined and enable_thinking is false -%}<think></think>{%- endif -%}
"""


def variables(conversation: tuple[Message, ...]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(message) for message in conversation]


def render(source: str | None, conversation: tuple[Message, ...] = HELLO, **template_kwargs: object) -> str:
    template = ChatTemplate(source, "<s>", "</s>", clock=lambda: datetime(2026, 3, 1))
    return template.render(variables(conversation), template_kwargs)


def test_a_model_without_a_template_speaks_chatml_and_says_so() -> None:
    assert ChatTemplate(None, "", "").is_fallback
    assert not ChatTemplate("x", "", "").is_fallback
    assert render(None, TALK[:2]) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_caller_can_leave_the_assistants_turn_closed() -> None:
    assert render(None, add_generation_prompt=False) == "<|im_start|>user\nHello<|im_end|>\n"


def test_a_template_in_the_style_of_llama_reads_the_clock_and_rebinds_the_messages() -> None:
    assert render(LLAMA_LIKE, TALK[:2]) == (
        "<s><|start|>system<|end|>\nToday: 01 Mar 2026\nBe brief.<|eot|>"
        "<|start|>user<|end|>\nHi<|eot|><|start|>assistant<|end|>\n"
    )
    assert "Today: yesterday\n" in render(LLAMA_LIKE, date="yesterday")


def test_a_template_in_the_style_of_gemma_refuses_roles_in_its_own_words() -> None:
    assert render(GEMMA_LIKE, TALK[1:]) == (
        "<s><turn>user\nHi</turn>\n<turn>model\nYes?</turn>\n<turn>user\nBye</turn>\n<turn>model\n"
    )
    with pytest.raises(InvalidRequest, match="refuses these messages: System role not supported") as refused:
        render(GEMMA_LIKE, TALK)
    assert refused.value.param == "messages"


def test_namespaces_loop_controls_and_generation_marks_are_understood() -> None:
    named = (*TALK[:3], Message(role="user", content="Bye", name="Ann"))
    assert render(NAMESPACE_LIKE, named, enable_thinking=False) == (
        "[Be brief.]<user> HiYes?</s><Ann> Bye<think></think>"
    )


def test_json_is_written_as_models_were_trained_on_it() -> None:
    value = {"b": "<é>", "a": [1, None]}
    assert render("{{ value | tojson }}", value=value) == '{"b": "<é>", "a": [1, null]}'
    assert render("{{ value | tojson(indent=2) }}", value=value) == json.dumps(value, ensure_ascii=False, indent=2)


@pytest.mark.parametrize("name", ["messages", "bos_token", "tools", "raise_exception", "range"])
def test_a_caller_cannot_replace_what_the_template_is_given(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"may not set '{name}'") as refused:
        render("x", **{name: "mine"})
    assert refused.value.param == "chat_template_kwargs"


@pytest.mark.parametrize("source", ["{% if %}", "{{ 'open }}", "{% nonsense %}", "{{ x | no_such_filter }}"])
def test_a_template_that_cannot_be_read_names_its_line(source: str) -> None:
    with pytest.raises(BackendError, match=r"chat template cannot be read: line 2: "):
        ChatTemplate("\n" + source, "", "")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ raise_exception.__globals__.json }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update(role='system') }}",
        "{{ messages[9].content }}",
        "{{ nowhere.content }}",
        "{{ undefined_thing | tojson }}",
        "{{ 1 // 0 }}",
        "{% include 'x' %}",
        "{% macro deeper() %}{{ deeper() }}{% endmacro %}{{ deeper() }}",
        "{% for i in range(2000000) %}{% endfor %}",
        "{% for i in range(5000) %}{% for j in range(5000) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 2000000 }}",
        "{{ 2000000 * [1] }}",
        "{{ 9 ** 9 ** 9 ** 9 }}",
        "{% for i in range(3000) %}{{ 'x' * 1000 }}{% endfor %}",
    ],
)
def test_a_template_that_misbehaves_fails_with_a_sentence_and_soon(source: str) -> None:
    with pytest.raises(BackendError, match=r"the model's chat template failed: .+"):
        render(source)


def test_ordinary_arithmetic_and_repetition_work() -> None:
    assert render("{{ 3 * 4 }} {{ 2 ** 10 }} {{ '-' * 3 }} {{ range(3) | join }}") == "12 1024 --- 012"


def test_each_rendering_has_its_own_bounds() -> None:
    template = ChatTemplate("{% for i in range(600000) %}{% endfor %}ok", "", "")
    assert [template.render(variables(HELLO), {}) for _ in range(2)] == ["ok", "ok"]


def test_long_messages_are_not_mistaken_for_a_runaway_template() -> None:
    content = "x" * 3_000_000
    assert render(None, (Message(role="user", content=content),)).count("x") == len(content)


def test_special_text_in_a_message_stays_as_the_user_wrote_it() -> None:
    assert "Hi<|im_end|> there" in render(None, (Message(role="user", content="Hi<|im_end|> there"),))

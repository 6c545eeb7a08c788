"""What a request for a message means to the engine."""

from typing import Any

import msgspec
import pytest

from appliance.core.request import ChatPrompt, GenerateRequest, JsonSchema, Message, Reasoning, RequestId, Tool
from appliance.core.sampling import SamplingParams, StopConditions
from appliance.dialects.anthropic.messages import MessagesRequest, count_to_core, messages_to_core
from appliance.errors import InvalidRequest
from tests.normalized import normalized

ID = RequestId("r")
HI = {"role": "user", "content": "Hi"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FORMAT = {"type": "json_schema", "schema": SCHEMA}
CALL = {"type": "tool_use", "id": "call_a", "name": "weather", "input": {}}


def wire_of(**fields: Any) -> MessagesRequest:
    return msgspec.convert({"max_tokens": 100, "messages": [HI], **fields}, MessagesRequest)


def core_of(**fields: Any) -> GenerateRequest:
    return messages_to_core(normalized(wire_of(**fields)), ID, "guide")


def prompt_of(**fields: Any) -> ChatPrompt:
    prompt = core_of(**fields).prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt


def test_the_least_request_is_one_message_and_a_limit() -> None:
    assert core_of() == GenerateRequest(
        id=ID,
        model="guide",
        prompt=ChatPrompt(messages=(Message(role="user", content="Hi"),), reasoning=Reasoning(effort="none")),
        stop=StopConditions(max_tokens=100),
    )


def test_the_sampling_and_the_end_are_as_asked() -> None:
    core = core_of(temperature=0.5, top_p=0.9, top_k=40, stop_sequences=["\n\n", "END"], priority="batch", deadline_s=9)
    assert core.sampling == SamplingParams(temperature=0.5, top_p=0.9, top_k=40)
    assert core.stop == StopConditions(max_tokens=100, strings=("\n\n", "END"))
    assert (core.priority, core.deadline_s) == ("batch", 9.0)


def test_a_limit_of_nothing_still_reads_the_prompt() -> None:
    assert core_of(max_tokens=0).stop == StopConditions(max_tokens=1)


@pytest.mark.parametrize("system", ["Be brief.", [{"type": "text", "text": "Be brief."}]])
def test_a_system_prompt_comes_first(system: Any) -> None:
    assert prompt_of(system=system).messages[0] == Message(role="system", content="Be brief.")


def test_system_messages_before_the_first_turn_belong_to_the_system_prompt() -> None:
    first = {"role": "system", "content": "Be kind."}
    messages = prompt_of(system="Be brief.", messages=[first, HI]).messages
    assert messages == (Message(role="system", content="Be brief.\nBe kind."), Message(role="user", content="Hi"))
    assert prompt_of(messages=[first, HI]).messages[0] == Message(role="system", content="Be kind.")
    with pytest.raises(InvalidRequest):
        core_of(messages=[first])


@pytest.mark.parametrize("system", ["", [], None, "x-anthropic-billing-header: cch=1;"])
def test_an_empty_system_prompt_is_none(system: Any) -> None:
    assert [message.role for message in prompt_of(system=system).messages] == ["user"]


def test_the_billing_line_of_two_requests_makes_no_difference() -> None:
    first, second = (
        prompt_of(
            system=[{"type": "text", "text": f"x-anthropic-billing-header: cch={cch};"}, {"type": "text", "text": "A"}]
        )
        for cch in ("36ee5", "0aaa9")
    )
    assert first == second


def test_a_last_turn_of_the_assistant_is_gone_on_with() -> None:
    assert not prompt_of().continues_last
    prompt = prompt_of(messages=[HI, {"role": "assistant", "content": "The answer is ("}])
    assert prompt.continues_last
    assert prompt.messages[-1] == Message(role="assistant", content="The answer is (")


def test_a_call_that_was_not_answered_cannot_be_gone_on_with() -> None:
    with pytest.raises(InvalidRequest, match="tool_result") as caught:
        core_of(messages=[HI, {"role": "assistant", "content": [CALL]}])
    assert caught.value.param == "messages[1]"


def test_messages_that_say_nothing_are_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        core_of(messages=[{"role": "user", "content": []}])
    assert caught.value.param == "messages"


def test_tools_and_thinking_are_part_of_the_prompt() -> None:
    prompt = prompt_of(
        tools=[{"name": "weather", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}}],
        tool_choice={"type": "any"},
        thinking={"type": "enabled", "budget_tokens": 1024},
        output_config={"effort": "high"},
    )
    assert prompt.tools == (Tool(name="weather", parameters=SCHEMA),)
    assert prompt.tool_choice.mode == "required"
    assert prompt.reasoning == Reasoning(effort="high", max_tokens=1024)


def test_a_format_holds_the_answer_to_its_schema() -> None:
    assert core_of().constraint is None
    assert core_of(output_config={"effort": "low"}).constraint is None
    assert core_of(output_config={"format": FORMAT}).constraint == JsonSchema(
        schema=SCHEMA, param="output_config.format.schema"
    )
    assert core_of(output_format=FORMAT).constraint == JsonSchema(schema=SCHEMA, param="output_format.schema")


def test_a_count_reads_the_prompt_of_the_message() -> None:
    fields = {
        "system": "Be brief.",
        "tools": [{"name": "weather", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "weather"},
        "thinking": {"type": "adaptive"},
        "messages": [HI, {"role": "assistant", "content": "Well"}],
    }
    assert count_to_core(wire_of(**fields), ID, "guide").prompt == prompt_of(**fields)


def test_a_long_name_of_a_user_is_cut() -> None:
    assert wire_of().user is None
    assert wire_of(metadata={"user_id": None}).user is None
    assert wire_of(metadata={"user_id": "u" * 1000}).user == "u" * 256


def test_what_belongs_to_anthropics_service_is_ignored() -> None:
    ignored = {
        "service_tier": "auto",
        "container": {"id": "c", "skills": []},
        "mcp_servers": [{"type": "url", "url": "http://example", "name": "x"}],
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "cache_control": {"type": "ephemeral"},
        "inference_geo": None,
        "speed": "fast",
        "betas": ["x"],
    }
    assert core_of(**ignored) == core_of()

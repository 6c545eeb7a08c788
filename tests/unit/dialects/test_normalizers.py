"""What is done about clients' habits: on, off, and nothing about anything else."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from appliance.core.events import RequestNormalized, SystemEvent
from appliance.core.quirks import QUIRKS
from appliance.core.request import RequestId
from appliance.dialects.anthropic.messages import MessagesRequest, messages_to_core
from appliance.dialects.decode import convert_json
from appliance.dialects.normalizers import NORMALIZERS
from appliance.dialects.ollama.chat import ChatRequest as OllamaChatRequest
from appliance.dialects.ollama.chat import chat_to_core as ollama_to_core
from appliance.dialects.ollama.options import Options, check_num_ctx
from appliance.dialects.openai.chat import ChatRequest, chat_to_core
from appliance.dialects.prefix import RequestPath
from appliance.dialects.responses.request import PromptRequest
from appliance.dialects.responses.tools import choose, offers_of
from appliance.errors import InvalidRequest
from appliance.settings import NormalizersSettings
from tests.normalized import normalized

LINE = "x-anthropic-billing-header: cc_version=2.1; cch=36ee5;"
USER = {"role": "user", "content": "Hi"}
FUNCTION = {"type": "function", "name": "f", "parameters": {}}
TRAINED = 2048


def claude(**fields: Any) -> MessagesRequest:
    wire: MessagesRequest = convert_json({"max_tokens": 1, "messages": [USER], **fields}, MessagesRequest, "")
    return wire


def call(arguments: object) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": arguments}}]}


def openai(*messages: dict[str, Any]) -> ChatRequest:
    wire: ChatRequest = convert_json({"messages": [USER, *messages]}, ChatRequest, "")
    return wire


def ollama(*messages: dict[str, Any]) -> OllamaChatRequest:
    wire: OllamaChatRequest = convert_json({"messages": [USER, *messages]}, OllamaChatRequest, "")
    return wire


def understood(wire: Any) -> Any:
    """Return what a request means to the engine. Raises: InvalidRequest."""
    match wire:
        case RequestPath():
            return wire.path
        case MessagesRequest():
            return messages_to_core(wire, RequestId("r"), "m").prompt
        case PromptRequest():
            return choose(offers_of(wire.tools or []), wire.tool_choice, is_parallel=True)
        case ChatRequest():
            return chat_to_core(wire, RequestId("r"), "m").prompt
        case OllamaChatRequest():
            return ollama_to_core(wire, RequestId("r"), "m", None).prompt
        case _:
            check_num_ctx(wire, "m", TRAINED)
            return wire


@dataclass(frozen=True)
class Case:
    """A client's request, one that means the same, and whether the first is refused without the normalizer."""

    client: Any
    same: Any
    is_refused: bool = False


CASES = {
    "doubled_prefix": Case(RequestPath("/v1/v1/v1/models"), RequestPath("/v1/models")),
    "claude_code_billing": Case(claude(system=f"{LINE}\nBe brief."), claude(system="Be brief.")),
    "claude_code_reminders": Case(
        claude(messages=[USER, {"role": "system", "content": "Note."}, USER]),
        claude(messages=[USER, {**USER, "content": "<system-reminder>\nNote.\n</system-reminder>"}, USER]),
    ),
    "anthropic_client_tools": Case(
        claude(tools=[{"type": "bash_20250124", "name": "bash"}]),
        normalized(claude(tools=[{"type": "bash_20250124", "name": "bash"}]), "anthropic_server_tools"),
    ),
    "anthropic_server_tools": Case(
        claude(
            tools=[{"type": "web_search_20250305", "name": "web"}, {"name": "f", "input_schema": {}}],
            tool_choice={"type": "tool", "name": "web"},
        ),
        claude(tools=[{"name": "f", "input_schema": {}}]),
        is_refused=True,
    ),
    "hosted_tools": Case(
        PromptRequest(
            tools=[
                {"type": "web_search"},
                FUNCTION,
                {"type": "namespace", "name": "n", "tools": [FUNCTION, {"type": "mcp"}]},
            ],
            tool_choice={"type": "web_search"},
        ),
        PromptRequest(tools=[FUNCTION, {"type": "namespace", "name": "n", "tools": [FUNCTION]}]),
        is_refused=True,
    ),
    "object_arguments": Case(openai(call({"x": "é"})), openai(call('{"x": "é"}')), is_refused=True),
    "text_arguments": Case(ollama(call('{"x": 1}')), ollama(call({"x": 1})), is_refused=True),
    "grown_num_ctx": Case(Options(num_ctx=131072), Options(num_ctx=TRAINED), is_refused=True),
}


@pytest.mark.parametrize("name", CASES)
def test_a_clients_request_means_what_it_means_in_its_apis_own_words(name: str) -> None:
    told: list[SystemEvent] = []
    case = CASES[name]
    wire = normalized(case.client, trained_context_tokens=TRAINED, told=told)
    assert understood(wire) == understood(case.same)
    assert told == [RequestNormalized(normalizer=name)]


@pytest.mark.parametrize("name", CASES)
def test_switched_off_it_is_taken_as_it_came(name: str) -> None:
    case = CASES[name]
    # Without a schema the tools that clients run are as those of servers
    off = (name, "anthropic_server_tools") if name == "anthropic_client_tools" else (name,)
    wire = normalized(case.client, *off, trained_context_tokens=TRAINED)
    assert wire is case.client
    if case.is_refused or name == "anthropic_client_tools":
        with pytest.raises(InvalidRequest):
            understood(wire)
    else:
        assert understood(wire) != understood(case.same)


@pytest.mark.parametrize("name", CASES)
def test_what_is_in_its_apis_own_words_stays_the_very_same(name: str) -> None:
    wire, told = CASES[name].same, list[SystemEvent]()
    assert normalized(wire, trained_context_tokens=TRAINED, told=told) is wire
    assert not told


@pytest.mark.parametrize(
    "wire",
    [
        RequestPath("/v1/models/v1/v1/x"),
        claude(system=f"Never say this:\n{LINE}", messages=[{"role": "system", "content": "A"}, USER]),
        claude(messages=[{**USER, "content": LINE}]),
        openai({**USER, "content": '{"x": 1}'}, {"role": "assistant", "content": "no call"}),
        ollama(call({"x": 1})),
        Options(num_ctx=TRAINED),
        Options(),
    ],
)
def test_what_only_looks_alike_is_left_alone(wire: Any) -> None:
    assert normalized(wire, trained_context_tokens=TRAINED) is wire


def test_an_empty_text_is_a_call_without_arguments() -> None:
    assert understood(normalized(openai(call("")))) == understood(openai(call("{}")))


def test_text_that_is_no_object_is_refused_all_the_same() -> None:
    with pytest.raises(InvalidRequest, match="no JSON object"):
        understood(normalized(ollama(call("[1]"))))


def test_a_choice_of_any_tool_is_left_to_the_model_where_none_remains() -> None:
    wire = claude(tools=[{"type": "web_search_20250305", "name": "web"}], tool_choice={"type": "any"})
    assert understood(normalized(wire)).tool_choice.mode == "auto"


def test_every_quirk_has_a_normalizer_a_setting_and_a_case() -> None:
    names = [quirk.name for quirk in QUIRKS]
    assert [each.quirk.name for each in NORMALIZERS] == names
    assert list(NormalizersSettings.__struct_fields__) == names
    assert all(msgspec.to_builtins(NormalizersSettings()).values())
    assert list(CASES) == names
    assert all(quirk.does.endswith(".") and quirk.client for quirk in QUIRKS)

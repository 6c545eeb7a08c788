"""Blocks of content, and the turns that the engine gets of them."""

from typing import Any

import msgspec
import pytest

from appliance.core.request import Message, ToolCall
from appliance.dialects.anthropic.content import MessageWire, turns_of
from appliance.dialects.anthropic.thinking import signature_of
from appliance.errors import InvalidRequest

CALL = {"type": "tool_use", "id": "call_a", "name": "weather", "input": {"city": "Köln"}}
RESULT = {"type": "tool_result", "tool_use_id": "call_a"}
CALLED = ToolCall(id="call_a", name="weather", arguments='{"city":"Köln"}')
IMAGE = {"type": "image", "source": {"type": "url", "url": "http://example"}}


def text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}, "citations": None}


def turns(*messages: tuple[str, Any]) -> list[Message]:
    return turns_of(
        msgspec.convert([{"role": role, "content": content} for role, content in messages], list[MessageWire])
    )


def test_a_string_is_a_block_of_text() -> None:
    assert turns(("user", "a")) == turns(("user", [text("a")])) == [Message(role="user", content="a")]


def test_neighbours_of_one_role_are_one_turn() -> None:
    said = turns(("user", [text("a"), text("b")]), ("user", "c"), ("assistant", "d"), ("assistant", [text("e")]))
    assert said == [Message(role="user", content="a\nb\nc"), Message(role="assistant", content="de")]


def test_a_system_message_between_turns_is_a_turn_of_its_own() -> None:
    said = turns(("user", "a"), ("system", [text("Be"), text("brief.")]), ("user", "b"))
    assert [(turn.role, turn.content) for turn in said] == [("user", "a"), ("system", "Be\nbrief."), ("user", "b")]


def test_thoughts_words_and_calls_are_one_turn_and_each_result_is_its_own() -> None:
    thoughts = {"type": "thinking", "thinking": "Hm.", "signature": "x"}
    second = {"type": "tool_use", "id": "call_b", "name": "time", "input": {}}
    results = [{**RESULT, "content": "rain"}, {**RESULT, "tool_use_id": "call_b", "content": [text("12"), text("UTC")]}]
    said = turns(("assistant", [thoughts, text("Let me look."), CALL, second]), ("user", [*results, text("Go on.")]))
    assert said == [
        Message(
            role="assistant",
            content="Let me look.",
            reasoning="Hm.",
            tool_calls=(CALLED, ToolCall(id="call_b", name="time", arguments="{}")),
        ),
        Message(role="tool", content="rain", name="weather", tool_call_id="call_a"),
        Message(role="tool", content="12\nUTC", name="time", tool_call_id="call_b"),
        Message(role="user", content="Go on."),
    ]


@pytest.mark.parametrize(
    ("result", "content"),
    [
        ({}, ""),
        ({"content": None}, ""),
        ({"content": []}, ""),
        ({"content": "no such city", "is_error": True}, "Error: no such city"),
        ({"content": "Error: no such city", "is_error": True}, "Error: no such city"),
        ({"content": "a", "is_error": False}, "a"),
        ({"content": [{"type": "tool_reference", "tool_name": "time"}]}, "The tool time can be called now."),
    ],
)
def test_a_result_says_what_came_of_the_call(result: dict[str, Any], content: str) -> None:
    (turn,) = turns(("user", [RESULT | result]))
    assert turn == Message(role="tool", content=content, tool_call_id="call_a")


def test_omitted_thoughts_are_thought_again() -> None:
    block = {"type": "thinking", "thinking": "", "signature": signature_of("Hm.", "omitted")}
    assert turns(("assistant", [block, text("a")])) == [Message(role="assistant", content="a", reasoning="Hm.")]


def test_what_only_anthropics_servers_can_read_is_left_out() -> None:
    sealed = [
        {"type": "redacted_thinking", "data": "EmwKAhgB"},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result"}]},
        {"type": "code_execution_tool_result", "tool_use_id": "srvtoolu_2", "content": {"type": "x", "stdout": ""}},
    ]
    assert turns(("assistant", [*sealed, text("Found.")])) == [Message(role="assistant", content="Found.")]


def test_the_call_of_a_server_of_tools_and_its_result_can_be_read() -> None:
    call = CALL | {"type": "mcp_tool_use", "server_name": "x"}
    result = RESULT | {"type": "mcp_tool_result", "content": [text("rain")], "is_error": False}
    assert turns(("assistant", [call, result, text("It rains.")])) == [
        Message(role="assistant", content="", tool_calls=(CALLED,)),
        Message(role="tool", content="rain", name="weather", tool_call_id="call_a"),
        Message(role="assistant", content="It rains."),
    ]


@pytest.mark.parametrize(
    ("block", "content"),
    [
        (
            {"type": "document", "title": "T", "source": {"type": "text", "data": "a", "media_type": "text/plain"}},
            "T\na",
        ),
        ({"type": "document", "source": {"type": "content", "content": [text("a"), text("b")]}}, "a\nb"),
        ({"type": "document", "source": {"type": "content", "content": "a"}}, "a"),
        ({"type": "search_result", "title": "T", "source": "http://s", "content": [text("a")]}, "T\nhttp://s\na"),
    ],
)
def test_a_document_of_plain_text_can_be_read(block: dict[str, Any], content: str) -> None:
    assert turns(("user", [block])) == [Message(role="user", content=content)]
    (result,) = turns(("user", [{**RESULT, "content": [block]}]))
    assert result.content == content


@pytest.mark.parametrize(
    ("block", "place", "what"),
    [
        ({"type": "document", "source": {"type": "base64", "data": "JVBE"}}, ".source", "base64"),
        ({"type": "document", "source": {"type": "content", "content": [IMAGE]}}, ".source.content[0]", "image"),
        ({"type": "search_result", "title": "", "source": "", "content": [IMAGE]}, ".content[0]", "image"),
        ({"type": "document", "source": "x"}, "", "document"),
        ({"type": "hologram"}, "", "hologram"),
        ({"type": "text"}, ".text", "required"),
        ({"type": "thinking", "signature": "x"}, ".thinking", "required"),
        (CALL, "", "only the assistant"),
        ({"type": "tool_result", "content": "a"}, ".tool_use_id", "required"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_place(block: dict[str, Any], place: str, what: str) -> None:
    with pytest.raises(InvalidRequest, match=what) as caught:
        turns(("user", "a"), ("assistant", "b"), ("user", [text("c"), block]))
    assert caught.value.param == f"messages[2].content[1]{place}"


def test_a_call_without_a_name_is_refused_by_its_place() -> None:
    with pytest.raises(InvalidRequest, match="required") as caught:
        turns(("assistant", [{"type": "tool_use", "id": "a", "input": {}}]))
    assert caught.value.param == "messages[0].content[0].name"

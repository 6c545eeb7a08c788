"""Items as messages: what belongs together, and what begins a new turn."""

from typing import Any

from appliance.core.request import Message, ToolCall
from appliance.dialects.responses.items import take_in
from appliance.dialects.responses.transcript import messages_of


def told(*items: dict[str, Any]) -> tuple[Message, ...]:
    return messages_of(None, take_in(list(items), "x"))


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def thought(text: str) -> dict[str, Any]:
    return {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}


def called(id: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"}


def test_thinking_words_and_calls_in_a_row_are_one_turn() -> None:
    calls = tuple(ToolCall(id=id, name="f", arguments="{}") for id in ("a", "b"))
    assert told(thought("T"), said("W"), called("a"), called("b")) == (
        Message(role="assistant", content="W", reasoning="T", tool_calls=calls),
    )


def test_words_after_words_and_thinking_after_calls_begin_a_turn() -> None:
    assert [message.content for message in told(said("a"), said("b"))] == ["a", "b"]
    assert [message.reasoning for message in told(thought("T"), called("a"), thought("U"), said("b"))] == ["T", "U"]


def test_thinking_without_words_is_a_turn_and_empty_thinking_is_none() -> None:
    assert told(thought("T"), {"role": "user", "content": "u"})[0] == Message(
        role="assistant", content="", reasoning="T"
    )
    assert told(thought(""), {"role": "user", "content": "u"}) == (Message(role="user", content="u"),)


def test_system_messages_in_a_row_are_one() -> None:
    messages = messages_of(
        "I", take_in([{"role": "developer", "content": "D"}, {"role": "system", "content": "S"}], "x")
    )
    assert messages == (Message(role="system", content="I\n\nD\n\nS"),)


def test_the_same_items_are_the_same_messages_whether_sent_or_kept() -> None:
    sent = [{"role": "user", "content": "u"}, thought("T"), said("W"), called("a")]
    kept = take_in(sent, "x")
    assert messages_of(None, take_in(list(kept), "y")) == messages_of(None, kept)
    assert take_in(list(kept), "y") == kept


def test_ids_are_given_to_items_that_have_none() -> None:
    items = take_in([said("a"), {**said("b"), "id": "msg_mine"}, called("c")], "x")
    assert [item["id"] for item in items] == ["msg_x_i0", "msg_mine", "fc_x_i2"]

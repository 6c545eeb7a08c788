"""What a conversation that is too long loses, and what it keeps."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.request import ChatPrompt, Message, ToolCall
from appliance.dialects.responses.truncation import num_to_leave_out, num_turns, without_oldest


def conversation(turns: int) -> ChatPrompt:
    messages = [Message(role="system", content="s")]
    for number in range(turns):
        call = ToolCall(id="c", name="f", arguments="{}")
        messages += [
            Message(role="user", content=f"u{number}"),
            Message(role="assistant", content="", tool_calls=(call,)),
            Message(role="tool", content="x", tool_call_id="c"),
            Message(role="assistant", content=f"a{number}"),
        ]
    return ChatPrompt(messages=tuple(messages))


def test_turns_go_whole_and_the_system_message_stays() -> None:
    assert num_turns(conversation(5)) == 5
    kept = without_oldest(conversation(5), 3).messages
    assert [message.content for message in kept if message.role in ("system", "user")] == ["s", "u3", "u4"]
    assert kept[1].role == "user"
    assert len(kept) == 1 + 2 * 4


def test_what_comes_before_the_first_user_is_a_turn_of_its_own() -> None:
    messages = (Message(role="assistant", content="a"), Message(role="user", content="u"))
    assert num_turns(ChatPrompt(messages=messages)) == 2
    assert without_oldest(ChatPrompt(messages=messages), 1).messages == messages[1:]


@given(turns=st.integers(2, 500), fitting=st.integers(1, 499))
def test_enough_is_left_out_and_half_of_what_fits_is_kept(turns: int, fitting: int) -> None:
    fitting = min(fitting, turns - 1)
    kept = turns - num_to_leave_out(turns, fitting)
    assert fitting / 2 <= kept <= fitting


def test_a_growing_conversation_begins_alike_for_many_turns() -> None:
    for fitting in (4, 6, 20):
        beginnings = [num_to_leave_out(turns, fitting) for turns in range(fitting + 1, 200)]
        changes = sum(before != after for before, after in pairwise(beginnings))
        assert changes <= 200 * 4 / fitting

"""What a conversation is made of, without a screen."""

from pathlib import Path

import pytest

from appliance.client import ChatCall, ChatEnd, ChatThought, ChatUsage
from tui.screens.chat_choices import schema_problem, summary, tools_problem, with_sampling
from tui.screens.chat_pictures import read_picture
from tui.screens.chat_store import Shelf
from tui.screens.chat_talk import Call, Conversation, Figures, Shape, Talk, Turn, to_markdown
from tui.screens.chat_text import figures, markdown, painted

TOOLS = '[{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]'


def test_an_answer_adds_up_of_thoughts_text_and_calls() -> None:
    turn = Turn("assistant")
    usage = ChatUsage(prompt_tokens=9, completion_tokens=4, cached_tokens=3)
    end = ChatEnd(model="m", finish_reason="tool_calls", usage=usage, tokens_per_s=5.0, cache="hit")

    for part in (ChatThought("let me "), ChatThought("see"), "So", ":", end):
        turn.take(part)
    turn.take(ChatCall(index=1, id="b", name="two"))
    turn.take(ChatCall(index=0, id="a", name="one", arguments="{"))
    turn.take(ChatCall(index=0, arguments="}"))

    assert (turn.reasoning, turn.text) == ("let me see", "So:")
    assert turn.calls == [Call("a", "one", "{}"), Call("b", "two", "")]
    assert turn.figures is not None
    assert turn.figures.is_from_cache
    assert (turn.figures.prompt_tokens, turn.figures.cached_tokens) == (9, 3)


def test_what_is_said_while_calls_are_open_is_their_results() -> None:
    talk = Talk("m")
    assert talk.say("how is the weather?")
    talk.turns.append(Turn("assistant", calls=[Call("a", "here", "{}"), Call("b", "there", "{}")]))

    assert not talk.say("rain")
    assert talk.say("sun")
    talk.turns.append(Turn("assistant", "rain and sun"))

    roles = [message["role"] for message in Shape().body(talk)["messages"]]  # type: ignore[attr-defined]  # it is a list
    assert roles == ["user", "assistant", "tool", "tool", "assistant"]
    assert [turn.answers for turn in talk.turns if turn.role == "tool"] == ["a", "b"]
    assert talk.say("thanks")
    assert talk.turns[-1].role == "user"


def test_a_request_holds_what_was_chosen_and_leaves_the_rest_to_the_box() -> None:
    shape = Shape(system="be brief", temperature=0.5, tools=TOOLS, schema='{"type": "object"}')

    body = shape.body(Talk("m", [Turn("user", "hi")]))

    assert body["model"] == "m"
    assert body["temperature"] == 0.5
    assert body["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    assert "seed" not in body
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}},
    }
    assert "model" not in shape.body(Talk())


def test_a_question_that_was_never_answered_is_not_sent_again() -> None:
    turns = [Turn("user", "first"), Turn("assistant", problem="the box is full"), Turn("user", "second")]

    assert Shape().body(Talk("m", turns))["messages"] == [{"role": "user", "content": "second"}]


def test_the_last_question_can_be_taken_back() -> None:
    talk = Talk("m", [Turn("user", "a"), Turn("assistant", "b"), Turn("user", "c"), Turn("assistant", "d")])

    assert talk.take_back() == "c"
    assert [turn.text for turn in talk.turns] == ["a", "b"]
    assert Talk("m").take_back() is None


def test_text_of_a_model_is_never_markup() -> None:
    text = "[bold]no[/bold] [@click=app.quit]x[/] \\[y]"

    content = painted(Turn("assistant", text), "[red]m")

    assert content.plain == f"[red]m\n{text}"
    assert not any("@click" in str(span.style) for span in content.spans)


def test_markdown_shows_what_it_means() -> None:
    content = markdown("# Title\n- *one* of **two**\n> said\n```py\n*x* = 2\n```\n2 * 3 * 4 and `a*b*c`")

    assert content.plain == "Title\n• one of two\n▏ said\n```py\n*x* = 2\n```\n2 * 3 * 4 and `a*b*c`"
    assert any(span.style == "bold" for span in content.spans)


def test_thoughts_are_folded_once_there_is_an_answer() -> None:
    turn = Turn("assistant", reasoning="a secret plan")
    assert "a secret plan" in painted(turn, "m").plain

    turn.text = "42"

    assert "a secret plan" not in painted(turn, "m").plain
    assert "a secret plan" in painted(turn, "m", shows_thoughts=True).plain


def test_figures_are_one_line() -> None:
    known = Figures(first_s=0.054, tokens_per_s=66.52, prompt_tokens=15, cached_tokens=3, completion_tokens=22)

    assert figures(known) == "first token 54 ms · 66.5 tokens/s · 15 in (3 cached) · 22 out"
    assert figures(Figures(is_from_cache=True)) == "from the cache"
    assert "longest" in figures(Figures(finish_reason="length"))


def test_saved_conversations_come_back_the_newest_first(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "chats")
    assert list(shelf.names()) == []
    old = Conversation(1.0, Shape(system="be brief"), [Talk("m", [Turn("user", "What is TCP?", calls=[])])])
    new = Conversation(2e9, Shape(), [Talk("m", [Turn("user", "../../etc/passwd")])])

    first, second = shelf.save(old, None), shelf.save(new, None)
    (tmp_path / "chats" / "broken.json").write_text("{")

    assert list(shelf.names()) == [(second, new), (first, old)]
    assert {file.parent for file in tmp_path.rglob("*.json")} == {tmp_path / "chats"}
    assert shelf.save(old, first) == first
    shelf.delete(first)
    assert [name for name, _ in shelf.names()] == [second]


def test_a_conversation_as_markdown_says_who_said_what(tmp_path: Path) -> None:
    talk = Talk("m", [Turn("user", "What is TCP?"), Turn("assistant", "A *protocol*.", calls=[Call("a", "f", "{}")])])

    text = to_markdown(Conversation(1.0, Shape(system="be brief"), [talk]))

    assert text.startswith("# What is TCP?\n\n## System\n\nbe brief\n\n## You\n\nWhat is TCP?\n\n## m\n\nA *protocol*.")
    assert "f {}" in text


def test_a_picture_goes_inside_the_question(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"\x89PNG the rest")
    (tmp_path / "song.mp3").write_bytes(b"ID3")
    talk = Talk("m")

    picture = read_picture(str(tmp_path / "cat.png"))
    talk.say("what is this?", [picture])

    assert Shape().body(talk)["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORyB0aGUgcmVzdA=="}},
                {"type": "text", "text": "what is this?"},
            ],
        }
    ]
    assert "cat.png" in painted(talk.turns[0], "m").plain
    with pytest.raises(ValueError, match="no PNG"):
        read_picture(str(tmp_path / "song.mp3"))
    with pytest.raises(ValueError, match="cannot be read"):
        read_picture(str(tmp_path / "missing.png"))


@pytest.mark.parametrize("text", ["[", "{}", "[1]", '[{"name": "weather"}]'])
def test_tools_that_are_none_are_not_sent(text: str) -> None:
    assert tools_problem(text)
    assert tools_problem(TOOLS) is None
    assert tools_problem("") is None


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_a_schema_that_is_none_is_not_sent(text: str) -> None:
    assert schema_problem(text)
    assert schema_problem('{"type": "object"}') is None


def test_sampling_is_what_was_typed_and_said_in_one_line() -> None:
    typed = {"temperature": "0.70", "top_p": "", "max_tokens": "64", "seed": "0"}

    shape = with_sampling(Shape(system="x", top_p=0.5, tools=TOOLS), typed)

    assert (shape.temperature, shape.top_p, shape.max_tokens, shape.seed) == (0.7, None, 64, 0)
    assert summary(shape) == "temperature 0.7 · max_tokens 64 · seed 0 · system prompt · tools: 1"

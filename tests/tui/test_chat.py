"""The place to try models."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from appliance.core.admin import InstalledModels
from tests.tui.conftest import SIZES, Drive, at_rest, driven, seen, until, until_seen
from tests.unit.cli.fake_daemon import USAGE, FakeDaemon, Reply, chunk, installed
from tui.app import Terminal
from tui.screens.chat_column import Column
from tui.screens.chat_input import ChatInput

CHAT = "/v1/chat/completions"
ANSWER = (
    {"choices": [{"delta": {"reasoning_content": "The person greets me."}}]},
    chunk("## Hello\n\nI am *small* and **quick**:\n\n- I run [here]\n- `appliance ps` shows me\n"),
    chunk(reason="stop"),
    USAGE,
    b"[DONE]",
)


async def go(pilot: Pilot[Any]) -> Any:
    """Go to the chat, and return its place."""
    app: Any = pilot.app
    app.action_go("chat")
    await until(pilot, lambda: app.screen.query_one(ChatInput).has_focus)
    return app.screen


async def ask(pilot: Pilot[Any], text: str) -> None:
    """Say something, and wait for the answer."""
    await pilot.press(*("space" if letter == " " else letter for letter in text), "enter")
    await until_seen(pilot, text, "tokens/s")
    await until(pilot, lambda: not pilot.app.screen._answers)  # type: ignore[attr-defined]  # it is the place of the chat


def said(place: Any, number: int = 0) -> list[str]:
    """Return what was said in one column."""
    return [turn.text for turn in list(place.query(Column))[number].talk.turns]


def steady(place: Any) -> None:
    """Give the answers the same time to the first token in every picture."""
    for column in place.query(Column):
        for turn in column.talk.turns:
            if turn.figures is not None:
                turn.figures.first_s = 0.125
        column.show_all()


@pytest.fixture
def chatting_box(fake_box: FakeDaemon) -> FakeDaemon:
    fake_box.reply("GET", "/admin/v1/models", InstalledModels(models=(installed(), installed("qwen3:latest"))))
    fake_box.stream(CHAT, *ANSWER)
    return fake_box


@pytest.fixture
def endless_box(chatting_box: FakeDaemon) -> Iterator[FakeDaemon]:
    has_ended = threading.Event()

    def endless() -> Iterator[bytes]:
        while not has_ended.wait(0.01):  # as fast as a model, not as a network
            yield b'data: {"choices": [{"delta": {"content": "more "}}]}\n\n'

    chatting_box.replies["POST", CHAT] = Reply(endless())
    yield chatting_box
    has_ended.set()


@pytest.mark.parametrize("size", SIZES)
def test_it_looks_as_it_did(chatting_box: FakeDaemon, fake_terminal: Terminal, snap_compare: Any, size: str) -> None:
    async def look(pilot: Pilot[Any]) -> None:
        place = await go(pilot)
        await ask(pilot, "Hi")
        await pilot.press("escape")
        steady(place)
        await at_rest("125 ms")(pilot)

    assert snap_compare(fake_terminal, terminal_size=SIZES[size], run_before=look)


def test_two_models_side_by_side_look_as_they_did(
    chatting_box: FakeDaemon, fake_terminal: Terminal, snap_compare: Any
) -> None:
    async def look(pilot: Pilot[Any]) -> None:
        place = await go(pilot)
        await pilot.press("escape", "b")
        await until_seen(pilot, "qwen3:latest")
        await pilot.press("down", "enter")
        await until(pilot, lambda: len(place.query(Column)) == 2)
        await pilot.press("i")
        await ask(pilot, "Hi")
        steady(place)
        await at_rest("○ qwen3:latest", "125 ms")(pilot)

    assert snap_compare(fake_terminal, terminal_size=SIZES["80x24"], run_before=look)


def test_an_answer_comes_with_its_timings_and_again_and_differently(drive: Drive) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        place = await go(pilot)
        await ask(pilot, "Hello there")
        first = said(place)
        assert len(first) == 2
        assert first[1]
        await until_seen(pilot, "first token", "cached)", "out")
        await pilot.press("escape", "c")
        assert pilot.app.clipboard == first[1].strip()
        await pilot.press("r")
        await until(pilot, lambda: not place._answers and len(said(place)) == 2)
        await pilot.press("e")
        await until(pilot, lambda: place.query_one(ChatInput).text == "Hello there")
        assert said(place) == []
        assert place.query_one(ChatInput).has_focus

    drive(script)


def test_keys_that_come_all_at_once_are_taken_in_their_order(chatting_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        place = await go(pilot)
        for key in ("H", "i", "enter"):
            pilot.app.simulate_key(key)
        await until_seen(pilot, "42.0 tokens/s")
        assert said(place)[0] == "Hi"

    driven(fake_terminal, script)


def test_two_models_answer_the_same_question_at_once(drive: Drive) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        place = await go(pilot)
        await ask(pilot, "Hello")
        await pilot.press("escape", "b")
        await until_seen(pilot, "Enter: choose")
        await pilot.press("enter")
        await until(pilot, lambda: len(place.query(Column)) == 2)
        assert said(place, 1) == said(place, 0)
        await pilot.press("i")
        await ask(pilot, "Who")
        assert [len(said(place, number)) for number in (0, 1)] == [4, 4]
        assert all(column.talk.turns[-1].figures.tokens_per_s for column in place.query(Column))
        await pilot.press("escape", "b")
        await until(pilot, lambda: len(place.query(Column)) == 1)

    drive(script)


def test_an_answer_can_be_stopped_and_what_came_stays(endless_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        place = await go(pilot)
        await pilot.press("h", "i", "enter")
        await until_seen(pilot, "more more")
        await pilot.press("x", "enter")
        await until_seen(pilot, "the answer is still coming")
        assert place.query_one(ChatInput).text == "x"
        await pilot.press("escape")
        await until_seen(pilot, "stopped")
        assert said(place)[1].startswith("more ")
        await until(pilot, endless_box.saw_disconnect.is_set)

    driven(fake_terminal, script)


def test_leaving_while_an_answer_comes_is_no_error(endless_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot)
        await pilot.press("h", "i", "enter")
        await until_seen(pilot, "more more")
        await pilot.press("ctrl+q")

    driven(fake_terminal, script)


def test_thoughts_are_folded_and_unfolded_and_markdown_can_be_plain(
    chatting_box: FakeDaemon, fake_terminal: Terminal
) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot)
        await ask(pilot, "Hi")
        await until_seen(pilot, "▸ thoughts (4 words)", "• I run [here]")
        await pilot.press("escape", "t")
        await until_seen(pilot, "▾ thoughts (4 words)", "The person greets me.")
        await pilot.press("v")
        await until_seen(pilot, "I am *small* and **quick**:", "## Hello")

    driven(fake_terminal, script)


def test_a_tool_is_called_and_the_person_gives_its_result(chatting_box: FakeDaemon, fake_terminal: Terminal) -> None:
    call = {"index": 0, "id": "call_1", "function": {"name": "weather", "arguments": '{"city": "Ulm"}'}}
    chatting_box.stream(
        CHAT, {"choices": [{"delta": {"tool_calls": [call]}}]}, chunk(reason="tool_calls"), USAGE, b"[DONE]"
    )
    tools = '[{"type":"function","function":{"name":"weather"}}]'

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot)
        await pilot.press("escape", "f")
        await until_seen(pilot, "Ctrl+S: take it")
        await pilot.press("x", "ctrl+s")
        await until_seen(pilot, "this is no JSON")
        await pilot.press("backspace")
        pilot.app.screen.query_one("TextArea").text = tools  # type: ignore[attr-defined]  # it is one
        await pilot.press("ctrl+s")
        await until_seen(pilot, "tools: 1")
        await pilot.press("i")
        await ask(pilot, "Hi")
        await until_seen(pilot, '→ weather({"city": "Ulm"})')
        chatting_box.stream(CHAT, *ANSWER)
        await pilot.press(*"rain", "enter")
        await until_seen(pilot, "Result of the tool", "I run")
        body = chatting_box.last("POST", CHAT).body
        assert body["messages"][-1] == {"role": "tool", "content": "rain", "tool_call_id": "call_1"}
        assert body["tools"][0]["function"]["name"] == "weather"

    driven(fake_terminal, script)


def test_sampling_the_system_prompt_and_the_model_are_sent(
    chatting_box: FakeDaemon, fake_terminal: Terminal, tmp_path: Path
) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot)
        await pilot.press("escape", "s")
        await until_seen(pilot, "Sampling")
        await pilot.press(*"hot", "enter")
        await until_seen(pilot, "temperature: write a number")
        await pilot.press(*["backspace"] * 3, *"9", "enter")
        await until_seen(pilot, "outside of what it may be")
        await pilot.press("backspace", *"0.5", "enter")
        await until_seen(pilot, "temperature 0.5")
        await pilot.press("y")
        await until_seen(pilot, "System prompt")
        await pilot.press(*"short", "ctrl+s")
        await until_seen(pilot, "system prompt")
        await pilot.press("m")
        await until_seen(pilot, "qwen3:latest")
        await pilot.press("down", "enter")
        await until_seen(pilot, "○ qwen3:latest")
        await pilot.press("i")
        await ask(pilot, "Hi")
        body = chatting_box.last("POST", CHAT).body
        assert (body["model"], body["temperature"]) == ("qwen3:latest", 0.5)
        assert body["messages"][0] == {"role": "system", "content": "short"}
        assert "qwen3:latest" in (tmp_path / "terminal.json").read_text()

    driven(fake_terminal, script)


def test_a_picture_is_shown_with_the_next_question_alone(
    chatting_box: FakeDaemon, fake_terminal: Terminal, tmp_path: Path
) -> None:
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"\x89PNG")

    async def script(pilot: Pilot[Any]) -> None:
        place = await go(pilot)
        await pilot.press("escape", "a")
        await until_seen(pilot, "Enter: go on")
        pilot.app.screen.query_one(Input).value = str(picture)
        await pilot.press("enter")
        await until_seen(pilot, "▣ cat.png · sampling")
        await until(pilot, lambda: place.query_one(ChatInput).has_focus)
        await ask(pilot, "Hi")
        content = chatting_box.last("POST", CHAT).body["messages"][0]["content"]
        assert [part["type"] for part in content] == ["image_url", "text"]
        assert "▣ cat.png · sampling" not in seen(pilot.app)

    driven(fake_terminal, script)


def test_a_failed_answer_is_a_sentence_and_can_be_tried_again(
    chatting_box: FakeDaemon, fake_terminal: Terminal
) -> None:
    chatting_box.refuse("POST", CHAT, 503, "model 'guide' needs 5.1 GiB, [3.8] GiB are free", "does_not_fit")

    async def script(pilot: Pilot[Any]) -> None:
        place = await go(pilot)
        await pilot.press("h", "i", "enter")
        await until_seen(pilot, "✕ model 'guide' needs 5.1 GiB, [3.8] GiB are free")
        chatting_box.stream(CHAT, *ANSWER)
        await pilot.press("escape", "r")
        await until_seen(pilot, "I run [here]")
        assert len(said(place)) == 2
        assert chatting_box.last("POST", CHAT).body["cache"] == {"mode": "off"}

    driven(fake_terminal, script)


def test_a_conversation_is_saved_opened_exported_and_deleted(
    chatting_box: FakeDaemon, fake_terminal: Terminal, tmp_path: Path
) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        place = await go(pilot)
        await ask(pilot, "Hi")
        await pilot.press("escape", "n")
        await until_seen(pilot, "Leave this conversation?")
        await pilot.press("n", "w")
        await until_seen(pilot, "saved as")
        await pilot.press("E")
        await until(pilot, lambda: list((tmp_path / "chats").glob("*.md")))
        await pilot.press("n")
        await until(pilot, lambda: said(place) == [])
        await pilot.press("escape", "o")
        await until_seen(pilot, "Saved conversations", "2026-05-28  Hi")
        await pilot.press("enter")
        await until(pilot, lambda: said(place)[:1] == ["Hi"])
        await until_seen(pilot, "I run [here]")
        await pilot.press("escape", "o")
        await until_seen(pilot, "Saved conversations")
        await pilot.press("d")
        await until_seen(pilot, "Delete this conversation?")
        await pilot.press("y")
        await until(pilot, lambda: not list((tmp_path / "chats").glob("*.json")))
        await until_seen(pilot, "no conversation is saved")

    driven(fake_terminal, script)


def test_a_line_can_be_broken_and_the_palette_has_every_action_while_one_writes(
    chatting_box: FakeDaemon, fake_terminal: Terminal
) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        place = await go(pilot)
        await pilot.press("1", "ctrl+j", "2")
        assert place.query_one(ChatInput).text == "1\n2"
        await pilot.press("ctrl+p")
        await pilot.press(*"system prom")
        await until(pilot, lambda: "key y" in seen(pilot.app))

    driven(fake_terminal, script)

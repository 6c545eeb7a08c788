"""`appliance run`: a conversation line by line."""

from collections.abc import Iterable, Iterator

import pytest

from appliance.cli.conversation import Conversation
from appliance.client import ChatEnd, ClientError
from appliance.core.admin import Done
from appliance.core.request import Message
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon, chunk, installed, status

CHAT = "/v1/chat/completions"
LOAD = "/admin/v1/models/load"


class FakeClient:
    """Answers with prepared pieces; an exception among them is raised there."""

    def __init__(self, *answers: Iterable[str | BaseException]) -> None:
        self._answers = list(answers)
        self.heard: list[list[tuple[str, str]]] = []
        self.params: dict[str, float] = {}
        self.num_closed = 0

    def chat_stream(self, model: str | None, messages: list[Message], **params: float) -> Iterator[str | ChatEnd]:
        self.heard.append([(message.role, message.content) for message in messages])
        self.params = params
        try:
            for piece in self._answers.pop(0):
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
            yield ChatEnd(model="guide", finish_reason="stop", usage=None)
        finally:
            self.num_closed += 1


def talk(client: FakeClient, *lines: str, system: str | None = None) -> Conversation:
    conversation = Conversation(client, None, system, {}, False)
    for line in lines:
        conversation.hear(line)
    return conversation


def test_the_model_hears_what_was_said_before() -> None:
    client = FakeClient(["Hello"], ["Fine"])

    talk(client, "Hi", "How are you?", system="Be kind")

    assert client.heard[1] == [("system", "Be kind"), ("user", "Hi"), ("assistant", "Hello"), ("user", "How are you?")]


def test_ctrl_c_stops_the_answer_and_keeps_what_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    client = FakeClient(["Once ", "upon", KeyboardInterrupt()], ["Yes"])

    talk(client, "Tell a story", "Go on")

    assert capsys.readouterr().out == "Once upon\nYes\n"
    assert client.heard[1][1] == ("assistant", "Once upon")
    assert client.num_closed == 2


def test_after_an_error_the_line_counts_as_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    client = FakeClient([ClientError("the prompt is too long", status=400)], ["Hello"])

    talk(client, "x" * 100, "Hi")

    assert "appliance: the prompt is too long\n" in capsys.readouterr().err
    assert client.heard[1] == [("user", "Hi")]


def test_clear_forgets_what_was_said_but_not_the_instructions() -> None:
    client = FakeClient(["Hello"], ["Hello"])

    talk(client, "Hi", "/clear", "Hi again", system="Be kind")

    assert client.heard[1] == [("system", "Be kind"), ("user", "Hi again")]


def test_system_begins_again_with_new_instructions() -> None:
    client = FakeClient(["Hello"], ["Hello"], ["Hello"])

    talk(client, "Hi", "/system Be brief", "Hi", "/system", "Hi")

    assert client.heard[1:] == [[("system", "Be brief"), ("user", "Hi")], [("user", "Hi")]]


def test_set_changes_sampling_from_then_on(capsys: pytest.CaptureFixture[str]) -> None:
    client = FakeClient(["Hello"])

    talk(client, "/set temperature 0.5", "/set top_k 40", "/set", "Hi")

    assert client.params == {"temperature": 0.5, "top_k": 40}
    assert "temperature 0.5, top_k 40" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["/set warmth 1", "/set temperature hot", "/set temperature", "/set top_k 1.5"])
def test_set_explains_what_it_takes(capsys: pytest.CaptureFixture[str], line: str) -> None:
    client = FakeClient(["Hello"])

    talk(client, line, "Hi")

    assert "write /set NAME VALUE" in capsys.readouterr().out
    assert client.params == {}


@pytest.mark.parametrize(
    ("line", "words"), [("/help", "/system TEXT"), ("/dance", "there is no /dance"), ("  ", ""), ("", "")]
)
def test_commands_and_empty_lines_are_not_said_to_the_model(
    capsys: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    client = FakeClient()

    talk(client, line)

    assert words in capsys.readouterr().out
    assert client.heard == []


def test_bye_ends_it() -> None:
    assert talk(FakeClient(), "/bye").is_over


def test_the_model_is_loaded_first_and_the_end_of_input_leaves(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", "/admin/v1/status", status())
    daemon.stream(LOAD, Done(model=installed()))
    daemon.stream(CHAT, chunk("Hello"), b"[DONE]")

    result = appliance("run", stdin="Hi\n")

    assert (result.code, result.out) == (0, "Hello\n")
    assert daemon.last("POST", LOAD).body["model"] == "guide"


def test_a_key_that_may_only_chat_may_chat(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.refuse("POST", LOAD, 403, "needs operate", "forbidden")
    daemon.stream(CHAT, chunk("Hello"), b"[DONE]")

    assert appliance("run", "guide", stdin="Hi\n").out == "Hello\n"


def test_a_model_that_does_not_exist_ends_it_at_once(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.refuse("POST", LOAD, 404, "no model is called 'gide'", "model_not_found")

    assert appliance("run", "gide", stdin="Hi\n").code == 4


def test_ctrl_c_at_the_prompt_does_not_leave(
    appliance: Command, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.stream(LOAD, Done(model=installed()))
    lines = iter([KeyboardInterrupt(), "/help", EOFError()])

    def read(prompt: str) -> str:
        line = next(lines)
        if isinstance(line, BaseException):
            raise line
        return line

    monkeypatch.setattr("builtins.input", read)

    result = appliance("run", "guide")

    assert result.code == 0
    assert "(Ctrl-D or /bye leaves)" in result.out
    assert "/system TEXT" in result.out

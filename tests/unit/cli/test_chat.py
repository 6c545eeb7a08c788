"""`appliance chat`: one question, one answer."""

import pytest

from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import USAGE, FakeDaemon, chunk

CHAT = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def answer(daemon: FakeDaemon) -> None:
    daemon.stream(CHAT, chunk("Hel"), chunk("lo"), chunk(reason="stop"), USAGE, b"[DONE]")


def asked_of(daemon: FakeDaemon) -> str:
    return daemon.last("POST", CHAT).body["messages"][-1]["content"]


@pytest.mark.parametrize("flags", [[], ["--no-stream"]])
def test_the_answer_is_all_of_the_output(appliance: Command, flags: list[str]) -> None:
    result = appliance("chat", "Hi", *flags)

    assert (result.code, result.out, result.err) == (0, "Hello\n", "")


@pytest.mark.parametrize(
    ("argv", "stdin", "question"),
    [
        (["What", "is TCP?"], "", "What is TCP?"),
        ([], "What is TCP?\n", "What is TCP?"),
        (["Explain:"], "a diff\nof two lines\n", "Explain:\n\na diff\nof two lines"),
    ],
)
def test_the_question_is_what_was_written_and_what_was_piped(
    appliance: Command, daemon: FakeDaemon, argv: list[str], stdin: str, question: str
) -> None:
    appliance("chat", *argv, stdin=stdin)

    assert asked_of(daemon) == question


def test_without_a_question_nothing_is_asked(appliance: Command, daemon: FakeDaemon) -> None:
    assert appliance("chat", stdin=" \n").code == 2
    assert daemon.asked == []


def test_flags_become_fields_of_the_request(appliance: Command, daemon: FakeDaemon) -> None:
    flags = ["--model", "qwen3", "--system", "Be brief", "--temperature", "0", "--max-tokens", "5", "--seed", "1"]
    appliance("chat", "Hi", *flags)

    body = daemon.last("POST", CHAT).body
    assert body["messages"][0] == {"role": "system", "content": "Be brief"}
    assert (body["model"], body["temperature"], body["max_tokens"], body["seed"]) == ("qwen3", 0, 5, 1)


def test_what_was_not_set_is_left_to_the_daemon(appliance: Command, daemon: FakeDaemon) -> None:
    appliance("chat", "Hi")

    assert set(daemon.last("POST", CHAT).body) == {"messages", "stream", "stream_options"}


def test_json_has_answer_reason_and_tokens(appliance: Command) -> None:
    reply = appliance("chat", "Hi", "--json").json

    assert (reply["content"], reply["model"], reply["finish_reason"]) == ("Hello", "guide", "stop")
    assert reply["usage"] == {"prompt_tokens": 5, "completion_tokens": 2, "cached_tokens": 3}


def test_figures_are_no_part_of_the_answer(appliance: Command) -> None:
    result = appliance("chat", "Hi", "--verbose")

    assert result.out == "Hello\n"
    assert "guide: 5 prompt tokens (3 cached), 2 generated" in result.err
    assert "42.0 tokens/s" in result.err


def test_an_error_within_the_answer_ends_with_its_sentence(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.stream(CHAT, chunk("Hel"), {"error": {"message": "the worker died", "code": "backend_error"}})

    result = appliance("chat", "Hi")

    assert (result.code, result.out, result.err) == (1, "Hel\n", "appliance: the worker died\n")


def test_without_a_daemon_nothing_is_printed_but_the_sentence(run: Command) -> None:
    result = run("chat", "Hi")

    assert (result.code, result.out, result.err.count("\n")) == (3, "", 1)

"""The client of our own API, over real HTTP against a daemon with prepared answers."""

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from appliance.client import ChatCall, ChatEnd, ChatThought, ChatUsage, Client, ClientError, NoDaemon
from appliance.core.admin import Done, Problem, Progress
from appliance.core.request import Message
from tests.unit.cli.fake_daemon import (
    USAGE,
    FakeDaemon,
    Reply,
    chunk,
    installed,
    loaded,
    request,
    requests,
    serving,
    status,
)

CHAT = "/v1/chat/completions"
HELLO = [Message(role="user", content="Hello")]


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    with serving() as daemon:
        yield daemon


def test_an_answer_comes_back_as_the_struct_that_the_daemon_sent(daemon: FakeDaemon) -> None:
    daemon.reply("GET", "/admin/v1/status", status(loaded()))
    daemon.reply("GET", "/admin/v1/models", {"models": [installed()]})

    assert Client(daemon.url).status() == status(loaded())
    assert Client(daemon.url).models() == (installed(),)


def test_the_key_is_sent_as_a_bearer_token_and_none_without_a_key(daemon: FakeDaemon) -> None:
    Client(daemon.url, "sk-1").is_healthy()
    Client(daemon.url).is_healthy()

    assert [asked.headers.get("Authorization") for asked in daemon.asked] == ["Bearer sk-1", None]


def test_requests_come_back_and_one_is_cancelled_by_the_id_of_its_answer(daemon: FakeDaemon) -> None:
    daemon.reply("GET", "/admin/v1/requests", requests(request("a"), num_recent=2))
    daemon.reply("DELETE", "/admin/v1/requests/chatcmpl-a%2Fb", None)

    assert Client(daemon.url).requests() == requests(request("a"), num_recent=2)
    Client(daemon.url).cancel_request("chatcmpl-a/b")
    assert daemon.asked[-1].method == "DELETE"


@pytest.mark.parametrize("name", ["guide", "qwen/qwen3:stable+lora,other@Q4_K_M"])
def test_a_models_name_ends_the_path_as_it_is(daemon: FakeDaemon, name: str) -> None:
    daemon.reply("GET", f"/admin/v1/models/{name}", installed(name))

    assert Client(daemon.url).model(name).name == name


def test_a_name_cannot_leave_its_place_in_the_path(daemon: FakeDaemon) -> None:
    with pytest.raises(ClientError, match="no such route"):
        Client(daemon.url).revoke_key("../models/guide?x#y")

    assert daemon.asked[-1].path == "/admin/v1/keys/..%2Fmodels%2Fguide%3Fx%23y"


def test_an_error_keeps_the_daemons_words_status_code_and_time_to_wait(daemon: FakeDaemon) -> None:
    daemon.refuse("GET", "/admin/v1/status", 429, "256 requests wait already", "rate_limit_exceeded", Retry_After="7")

    with pytest.raises(ClientError) as caught:
        Client(daemon.url).status()

    error = caught.value
    assert (error.message, error.status, error.code, error.retry_after_s) == (
        "256 requests wait already",
        429,
        "rate_limit_exceeded",
        7.0,
    )


def test_another_program_at_the_address_is_recognized(daemon: FakeDaemon) -> None:
    daemon.replies["GET", "/admin/v1/status"] = Reply(b"<html>not here</html>", 404)
    daemon.replies["GET", "/admin/v1/keys"] = Reply(b"<html>welcome</html>")

    with pytest.raises(ClientError, match="is it the right address"):
        Client(daemon.url).status()
    with pytest.raises(ClientError, match="not understood"):
        Client(daemon.url).keys()


def test_where_nothing_listens_there_is_no_daemon() -> None:
    with serving() as stopped:
        pass

    assert not Client(stopped.url).is_healthy()
    with pytest.raises(NoDaemon, match=f"no daemon answers at {stopped.url}"):
        Client(stopped.url).status()


def test_an_address_without_tls_is_not_asked_in_it_in_vain(daemon: FakeDaemon) -> None:
    with pytest.raises(NoDaemon, match="does not speak TLS; is its address http://"):
        Client(daemon.url.replace("http:", "https:")).status()


def test_a_name_that_no_machine_has_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*asked: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(NoDaemon, match="no machine is known by the name nobox"):
        Client("http://nobox:8484").status()


@pytest.mark.parametrize("url", ["localhost:8484", "ftp://localhost", "http://", "http://localhost:99999", ""])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ClientError, match="is not an address"):
        Client(url)


@pytest.mark.parametrize("key", ["sk-1\nX-Evil: 1", "sk-ü"])
def test_a_key_that_cannot_stand_in_a_header_is_refused(key: str) -> None:
    with pytest.raises(ClientError, match="API key"):
        Client("http://localhost", key)


def test_progress_ends_with_the_model(daemon: FakeDaemon) -> None:
    half = Progress(text="reading", done=1.0, total=2.0, unit="bytes")
    daemon.stream("/admin/v1/models", half, Done(model=installed()))

    assert list(Client(daemon.url).add_model("/a.gguf", name="a", copy=True)) == [half, Done(model=installed())]
    assert daemon.asked[-1].body == {"path": "/a.gguf", "name": "a", "copy": True}


def test_a_problem_in_a_stream_of_progress_is_raised_with_the_status_of_its_code(daemon: FakeDaemon) -> None:
    daemon.stream("/admin/v1/models/load", Problem(message="needs 5 GiB", code="does_not_fit"))

    with pytest.raises(ClientError, match="needs 5 GiB") as caught:
        list(Client(daemon.url).load("big"))

    assert (caught.value.status, caught.value.code) == (503, "does_not_fit")


def test_a_stream_that_ends_too_early_is_an_error(daemon: FakeDaemon) -> None:
    daemon.stream("/admin/v1/models/load", Progress(text="reading", done=0.5, total=1.0, unit="ratio"))
    daemon.stream(CHAT, chunk("Hel"))

    for items in (Client(daemon.url).load("guide"), Client(daemon.url).chat_stream(None, HELLO)):
        next(items)
        with pytest.raises(ClientError, match="closed the connection"):
            next(items)


def test_chat_yields_text_and_then_the_end(daemon: FakeDaemon) -> None:
    daemon.stream(CHAT, chunk(), chunk("Hel"), chunk("lo"), chunk(reason="stop"), USAGE, b"[DONE]")

    items = list(Client(daemon.url).chat_stream("guide", HELLO, temperature=0.0))

    usage = ChatUsage(prompt_tokens=5, completion_tokens=2, cached_tokens=3)
    assert items == ["Hel", "lo", ChatEnd(model="guide", finish_reason="stop", usage=usage, tokens_per_s=42.0)]
    assert daemon.asked[-1].body == {
        "model": "guide",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.0,
    }


def test_thoughts_calls_and_what_the_cache_did_come_with_an_answer(daemon: FakeDaemon) -> None:
    thought = {"choices": [{"delta": {"reasoning_content": "hm"}}]}
    head = {"index": 0, "id": "call_1", "function": {"name": "weather", "arguments": ""}}
    more = {"index": 0, "function": {"arguments": '{"city": "Ulm"}'}}
    calls = [{"choices": [{"delta": {"tool_calls": [call]}}]} for call in (head, more)]
    end = chunk(reason="tool_calls") | {"timings": {"queue_ms": 1.0, "prompt_ms": 20.0, "predicted_per_second": 5.0}}
    daemon.stream(CHAT, thought, *calls, end, b"[DONE]")
    daemon.replies["POST", CHAT] = replace(daemon.replies["POST", CHAT], headers={"X_Cache": "hit"})

    parts = list(Client(daemon.url).chat_parts({"messages": HELLO}))

    assert parts[:-1] == [
        ChatThought("hm"),
        ChatCall(index=0, id="call_1", name="weather"),
        ChatCall(index=0, arguments='{"city": "Ulm"}'),
    ]
    assert parts[-1] == ChatEnd(
        model="guide",
        finish_reason="tool_calls",
        usage=None,
        tokens_per_s=5.0,
        queue_s=0.001,
        prefill_s=0.02,
        cache="hit",
    )


def test_without_a_name_the_daemon_chooses_the_model(daemon: FakeDaemon) -> None:
    daemon.stream(CHAT, b"[DONE]")

    list(Client(daemon.url).chat_stream(None, HELLO))

    assert "model" not in daemon.asked[-1].body


def test_an_error_in_the_middle_of_an_answer_is_raised_after_its_text(daemon: FakeDaemon) -> None:
    error = {"message": "the worker died", "type": "server_error", "param": None, "code": "backend_error"}
    daemon.stream(CHAT, chunk("Hel"), {"error": error})

    items = Client(daemon.url).chat_stream(None, HELLO)

    assert next(items) == "Hel"
    with pytest.raises(ClientError, match="the worker died") as caught:
        next(items)
    assert caught.value.status == 500


def test_closing_an_answer_hangs_up_so_that_the_daemon_stops_it(daemon: FakeDaemon) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b'data: {"choices": [{"delta": {"content": "more "}}]}\n\n'

    daemon.replies["POST", CHAT] = Reply(endless())

    items = Client(daemon.url).chat_stream(None, HELLO)
    next(items)
    items.close()

    assert daemon.saw_disconnect.wait(timeout=10)

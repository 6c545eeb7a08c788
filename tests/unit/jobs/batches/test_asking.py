"""One request of a batch: asked again while that can help, and never longer."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from appliance.client import ClientError, NoDaemon
from appliance.jobs.batches.asking import MAX_PAUSE_S, MAX_TRIES, Asker, pause_s


class FakeTransport:
    """Answers with what it was given, in turns."""

    def __init__(self, *answers: bytes | ClientError) -> None:
        self.answers = list(answers)
        self.bodies: list[Any] = []

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> bytes:
        self.bodies.append(body)
        answer = self.answers.pop(0)
        if isinstance(answer, ClientError):
            raise answer
        return answer


def ask(*answers: bytes | ClientError) -> tuple[Any, FakeTransport, list[float]]:
    transport, pauses = FakeTransport(*answers), list[float]()
    asker = Asker(transport, "/v1/chat/completions", pauses.append)  # type: ignore[arg-type]  # a fake
    return asker.ask("a", {"model": "m", "stream": None, "priority": "interactive"}), transport, pauses


def test_an_answer_is_kept_as_it_came_and_was_asked_for_last_of_all() -> None:
    result, transport, pauses = ask(b'{"id": "x"}')
    assert (result.custom_id, result.response.status_code, bytes(result.response.body)) == ("a", 200, b'{"id": "x"}')
    assert transport.bodies == [{"model": "m", "stream": False, "priority": "batch"}]
    assert pauses == []


def test_what_may_pass_is_asked_again() -> None:
    busy = ClientError("the queue is full", status=429, retry_after_s=3.0)
    result, transport, pauses = ask(busy, ClientError("cut off"), b"{}")
    assert result.response.status_code == 200
    assert len(transport.bodies) == 3
    assert 3.0 <= pauses[0] <= 4.5


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_what_stays_wrong_is_not_asked_again(status: int) -> None:
    result, transport, _ = ask(ClientError("no such field", status=status, code="bad"))
    assert len(transport.bodies) == 1
    assert result.response.status_code == status
    assert json.loads(bytes(result.response.body))["error"]["message"] == "no such field"


def test_it_gives_up_after_some_tries() -> None:
    result, transport, _ = ask(*[ClientError("busy", status=503)] * MAX_TRIES)
    assert (len(transport.bodies), result.response.status_code) == (MAX_TRIES, 503)


def test_without_a_daemon_nothing_is_said_of_the_request() -> None:
    with pytest.raises(NoDaemon):
        ask(NoDaemon("nobody answers"))


@pytest.mark.parametrize("num_tries", range(1, MAX_TRIES))
def test_pauses_grow_and_have_a_limit(num_tries: int) -> None:
    pause = pause_s(num_tries, None)
    assert min(MAX_PAUSE_S, 2.0 ** (num_tries - 1)) <= pause <= 1.5 * MAX_PAUSE_S

"""`/admin/v1/requests` with our own client: seen without content, and ended by an operator."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from appliance.client import Client, ClientError
from appliance.core.events import RequestQueued
from appliance.core.request import RequestId
from tests.api.conftest import Daemon
from tests.fakes import accepted, delta

QUESTION = {"messages": [{"role": "user", "content": "a secret"}]}


@pytest.fixture
def client(daemon: Daemon) -> Client:
    return Client(daemon.url)


def queue(daemon: Daemon, id: str) -> None:
    """Let the log know of a request, as the real scheduler would."""
    event = RequestQueued(id=RequestId(id), model="guide", caller="ada", priority="interactive")
    daemon.do(lambda: daemon.parts.requests.observe(event))


def test_requests_are_listed(client: Client, daemon: Daemon) -> None:
    assert client.requests().requests == ()
    queue(daemon, "a")
    (request,) = client.requests().requests
    assert (request.id, request.caller, request.priority, request.state) == ("a", "ada", "interactive", "waiting")


def test_the_caller_of_a_cancelled_request_is_told_who_ended_it(
    client: Client, daemon: Daemon, http: httpx.Client
) -> None:
    daemon.scheduler.script = lambda request: [accepted(request), delta(request, "Hel")]
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(http.post, "/v1/chat/completions", json=QUESTION)
        id = daemon.next_submitted()
        queue(daemon, id)
        client.cancel_request(f"chatcmpl-{id}")
        response = answer.result(10)
    assert response.status_code == 410
    assert response.json()["error"]["code"] == "request_cancelled"
    assert "operator" in response.json()["error"]["message"]


def test_a_stream_that_an_operator_ends_ends_with_an_error(client: Client, daemon: Daemon, http: httpx.Client) -> None:
    daemon.scheduler.script = lambda request: [accepted(request), delta(request, "Hel")]
    with http.stream("POST", "/v1/chat/completions", json=QUESTION | {"stream": True}) as response:
        lines = response.iter_lines()
        next(line for line in lines if "Hel" in line)
        id = daemon.next_submitted()
        queue(daemon, id)
        client.cancel_request(id)
        rest = "".join(lines)
    assert "request_cancelled" in rest


def test_what_neither_runs_nor_waits_cannot_be_cancelled(client: Client) -> None:
    with pytest.raises(ClientError, match="'chatcmpl-unknown' runs or waits") as caught:
        client.cancel_request("chatcmpl-unknown")
    assert (caught.value.status, caught.value.code) == (404, "request_not_found")


def test_requests_are_for_operators(daemon: Daemon, client: Client) -> None:
    admin = Client(daemon.url, client.create_key("root", "admin").key)
    use = Client(daemon.url, admin.create_key("app", "use").key)
    operate = Client(daemon.url, admin.create_key("deploy", "operate").key)
    assert operate.requests().requests == ()
    for ask in (use.requests, lambda: use.cancel_request("a")):
        with pytest.raises(ClientError) as caught:
            ask()
        assert caught.value.status == 403

"""`/admin/v1/events` and `/admin/v1/logs` with our own client."""

import logging

import httpx
import pytest

from appliance.client import Client, ClientError
from appliance.core.events import ModelStateChanged
from tests.api.conftest import Daemon


@pytest.fixture
def client(daemon: Daemon) -> Client:
    return Client(daemon.url)


def publish(daemon: Daemon, model: str) -> None:
    event = ModelStateChanged(model=model, state="ready", reason="asked for")
    daemon.do(lambda: daemon.parts.feed.observe(event))


def test_past_events_come_first_and_new_ones_as_they_happen(client: Client, daemon: Daemon) -> None:
    publish(daemon, "past")
    events = client.events(last=5, types=("model",))
    assert next(events).data["model"] == "past"
    publish(daemon, "new")
    assert next(events).data["model"] == "new"
    events.close()


def test_a_stream_is_resumed_where_it_broke_off(client: Client, daemon: Daemon, http: httpx.Client) -> None:
    for model in ("first", "second"):
        publish(daemon, model)
    first = next(iter(client.events(last=2)))
    with http.stream("GET", "/admin/v1/events", headers={"Last-Event-ID": str(first.seq)}) as response:
        lines = response.iter_lines()
        head = [next(lines) for _ in range(3)]
    assert head[0] == f"id: {first.seq + 1}"
    assert head[1] == "event: model.state"
    assert '"second"' in head[2]


def test_a_nonsensical_event_id_is_refused_with_what_to_send(http: httpx.Client) -> None:
    response = http.get("/admin/v1/events", headers={"Last-Event-ID": "yesterday"})
    assert response.status_code == 400
    assert "Last-Event-ID" in response.json()["error"]["message"]


def test_a_stream_ends_when_the_daemon_does(client: Client, daemon: Daemon) -> None:
    publish(daemon, "past")
    events = client.events(last=1)
    next(events)
    daemon.do(daemon.parts.feed.close)
    assert list(events) == []


def test_the_log_can_be_read(client: Client, daemon: Daemon) -> None:
    record = logging.LogRecord("appliance.x", logging.WARNING, __file__, 1, "the disk is full", (), None)
    daemon.do(lambda: daemon.parts.feed.handle(record))
    (line,) = client.log_lines(level="warning")
    assert (line.level, line.source, line.message) == ("warning", "appliance.x", "the disk is full")
    assert client.log_lines(level="error") == ()


def test_an_unknown_level_is_refused(daemon: Daemon, http: httpx.Client) -> None:
    assert http.get("/admin/v1/logs", params={"level": "loud"}).status_code == 400


def test_a_key_that_may_only_use_models_sees_neither(daemon: Daemon) -> None:
    key = daemon.parts.keys.create("ada", "use").key
    user = Client(daemon.url, key)
    for ask in (lambda: user.log_lines(), lambda: next(user.events(last=1))):
        with pytest.raises(ClientError) as refusal:
            ask()
        assert refusal.value.status == 403

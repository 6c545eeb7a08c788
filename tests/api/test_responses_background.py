"""Responses in the background: polled, followed, cancelled, and alone with nobody listening."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai as library
import pytest
from openai import OpenAI

from appliance.core.events import RequestEvent
from appliance.core.request import ChatPrompt, GenerateRequest
from appliance.errors import ApplianceError, BackendError, QueueFull
from tests.api.conftest import Daemon, served
from tests.api.responses import PATH, events_of, short, stream_of
from tests.fakes import accepted, delta, finished


@pytest.fixture
def quiet(daemon: Daemon) -> Daemon:
    """A daemon whose model says nothing until it is told to."""
    daemon.scheduler.script = lambda r: []
    return daemon


def tell(daemon: Daemon, *events: Any) -> None:
    """Let the model say something."""
    request: GenerateRequest = daemon.scheduler.last
    made: list[RequestEvent | ApplianceError] = [event(request) if callable(event) else event for event in events]
    daemon.do(lambda: daemon.scheduler.tell(request, *made))


def begin(http: httpx.Client, **body: Any) -> dict[str, Any]:
    response = http.post(PATH, json={"input": "Hi", "background": True, **body})
    assert response.status_code == 200, response.text
    begun: dict[str, Any] = response.json()
    return begun


def status_of(http: httpx.Client, identity: str, wanted: str) -> dict[str, Any]:
    """Poll until the response is as wanted: what a client does; there is no event to wait for."""
    while (found := http.get(f"{PATH}/{identity}").json())["status"] != wanted:
        assert found["status"] in ("queued", "in_progress"), found
    return dict(found)


def test_polling_sees_a_response_queued_in_progress_and_completed(http: httpx.Client, quiet: Daemon) -> None:
    begun = begin(http)
    assert (begun["status"], begun["background"], begun["output"]) == ("queued", True, [])
    assert http.get(f"{PATH}/{begun['id']}").json()["status"] == "queued"
    tell(quiet, accepted)
    status_of(http, begun["id"], "in_progress")
    tell(quiet, lambda r: delta(r, "Hello"))
    while not (output := http.get(f"{PATH}/{begun['id']}").json()["output"]):
        pass
    assert output[0]["content"][0]["text"] == "Hello"
    tell(quiet, finished)
    done = status_of(http, begun["id"], "completed")
    assert (done["output"][0]["content"][0]["text"], done["usage"]["total_tokens"]) == ("Hello", 9)


def test_the_library_polls(openai: OpenAI) -> None:
    response = openai.responses.create(model="guide", input="Hi", background=True)
    while response.status in ("queued", "in_progress"):
        response = openai.responses.retrieve(response.id)
    assert (response.status, response.output_text) == ("completed", "Hello wörld")


def test_a_stream_in_the_background_begins_in_the_queue(http: httpx.Client) -> None:
    events = stream_of(http, background=True)
    assert short(events)[:4] == ["created", "queued", "in_progress", "output_item.added"]
    assert [event["response"]["status"] for event in events[:3]] == ["queued", "queued", "in_progress"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_a_stream_is_taken_up_again_while_it_is_written(http: httpx.Client, quiet: Daemon) -> None:
    with http.stream("POST", PATH, json={"input": "Hi", "background": True, "stream": True}) as response:
        lines = response.iter_lines()
        identity = next(line for line in lines if "resp_" in line).partition('"id":"')[2].split('"')[0]
    tell(quiet, accepted, lambda r: delta(r, "Hello"))
    with http.stream("GET", f"{PATH}/{identity}?stream=true&starting_after=1") as response:
        lines = response.iter_lines()
        seen = [next(line for line in lines if "output_text.delta" in line)]
        tell(quiet, lambda r: delta(r, " again"), finished)
        seen += list(lines)
    assert any("response.completed" in line for line in seen)
    whole = events_of(http.get(f"{PATH}/{identity}?stream=true").text)
    assert [event["sequence_number"] for event in whole] == list(range(len(whole)))
    assert whole[-1]["response"]["output"][0]["content"][0]["text"] == "Hello again"


def test_the_library_takes_a_stream_up_again(openai: OpenAI) -> None:
    with openai.responses.create(model="guide", input="Hi", background=True, stream=True) as stream:
        first = next(iter(stream))
    assert first.type == "response.created"
    with openai.responses.retrieve(first.response.id, stream=True, starting_after=first.sequence_number) as stream:
        rest = list(stream)
    assert [event.sequence_number for event in rest] == list(range(1, len(rest) + 1))
    assert rest[-1].type == "response.completed"
    with openai.responses.stream(response_id=first.response.id, starting_after=0) as helper:
        assert helper.get_final_response().output_text == "Hello wörld"


def test_a_cancelled_response_keeps_what_was_written(openai: OpenAI, http: httpx.Client, quiet: Daemon) -> None:
    begun = begin(http)
    tell(quiet, accepted, lambda r: delta(r, "Hel"))
    status_of(http, begun["id"], "in_progress")
    cancelled = openai.responses.cancel(begun["id"])
    assert (cancelled.status, cancelled.output_text) == ("cancelled", "Hel")
    assert quiet.next_cancelled()
    assert openai.responses.cancel(begun["id"]).model_dump() == cancelled.model_dump()
    events = events_of(http.get(f"{PATH}/{begun['id']}?stream=true").text)
    assert events[-1]["response"]["status"] == "cancelled"


def test_a_finished_response_stays_as_it_is_when_cancelled(openai: OpenAI, http: httpx.Client) -> None:
    begun = begin(http)
    status_of(http, begun["id"], "completed")
    assert openai.responses.cancel(begun["id"]).status == "completed"


def test_only_a_background_response_is_cancelled(openai: OpenAI) -> None:
    response = openai.responses.create(model="guide", input="Hi")
    with pytest.raises(library.BadRequestError, match="background"):
        openai.responses.cancel(response.id)
    with pytest.raises(library.NotFoundError):
        openai.responses.cancel("resp_unknown")


def test_a_response_that_fails_says_why(http: httpx.Client, quiet: Daemon) -> None:
    begun = begin(http)
    tell(quiet, BackendError("the worker died"))
    failed = status_of(http, begun["id"], "failed")
    assert failed["error"] == {
        "code": "server_error",
        "message": "the worker died",
        "param": None,
        "type": "backend_error",
    }


def test_a_full_queue_refuses_a_background_response_at_once(http: httpx.Client, quiet: Daemon) -> None:
    quiet.scheduler.refusal = QueueFull("256 requests wait")
    assert http.post(PATH, json={"input": "Hi", "background": True}).status_code == 429


def test_nothing_goes_on_with_a_response_that_is_being_written(http: httpx.Client, quiet: Daemon) -> None:
    begun = begin(http)
    response = http.post(PATH, json={"input": "More", "previous_response_id": begun["id"]})
    assert (response.status_code, response.json()["error"]["param"]) == (409, "previous_response_id")


def test_deleting_a_response_that_is_being_written_ends_it(http: httpx.Client, quiet: Daemon) -> None:
    begun = begin(http)
    assert http.delete(f"{PATH}/{begun['id']}").json()["deleted"]
    quiet.next_cancelled()
    assert http.get(f"{PATH}/{begun['id']}").status_code == 404


@contextmanager
def after_a_power_cut(daemon: Daemon) -> Iterator[tuple[Daemon, httpx.Client]]:
    """A daemon that finds what this one has on its disk now."""
    home = daemon.home / "after a power cut"
    home.mkdir()
    for name in ("state.db", "state.db-wal"):
        (home / name).write_bytes((daemon.home / name).read_bytes())
    with served(home, daemon.parts.timing) as later, httpx.Client(base_url=later.url, trust_env=False) as client:
        yield later, client


def test_what_the_daemon_did_not_finish_is_begun_again(quiet: Daemon, http: httpx.Client) -> None:
    begun = begin(http, temperature=0.25, metadata={"a": "b"})
    with after_a_power_cut(quiet) as (later, client):
        found = status_of(client, begun["id"], "completed")
        assert found["output"][0]["content"][0]["text"] == "Hello wörld"
        assert (found["created_at"], found["metadata"]) == (begun["created_at"], {"a": "b"})
        assert later.scheduler.last.sampling.temperature == 0.25
        assert client.get(f"{PATH}/{begun['id']}/input_items").json()["data"][0]["content"][0]["text"] == "Hi"


def test_it_is_begun_again_behind_what_was_said_before_it(quiet: Daemon, http: httpx.Client) -> None:
    quiet.scheduler.script = lambda r: [accepted(r), delta(r, "Hello"), finished(r)]
    first = http.post(PATH, json={"input": "Good day"}).json()["id"]
    quiet.scheduler.script = lambda r: []
    begun = begin(http, previous_response_id=first)
    with after_a_power_cut(quiet) as (later, client):
        status_of(client, begun["id"], "completed")
        prompt = later.scheduler.last.prompt
        assert isinstance(prompt, ChatPrompt)
        assert [message.role for message in prompt.messages] == ["user", "assistant", "user"]


def test_a_stream_taken_up_after_a_restart_tells_the_new_run_from_its_beginning(
    quiet: Daemon, http: httpx.Client, openai: OpenAI
) -> None:
    begun = begin(http)
    with after_a_power_cut(quiet) as (later, client):
        library_client = openai.with_options(base_url=f"{later.url}/v1")
        with library_client.responses.retrieve(begun["id"], stream=True, starting_after=57) as stream:
            events = list(stream)
        assert [events[0].type, events[-1].type] == ["response.created", "response.completed"]
        assert events[0].sequence_number > 57
        status_of(client, begun["id"], "completed")
        again = events_of(client.get(f"{PATH}/{begun['id']}?stream=true&starting_after=57").text)
        assert [event["sequence_number"] for event in again] == [event.sequence_number for event in events]
        third = f"{PATH}/{begun['id']}?stream=true&starting_after={events[2].sequence_number}"
        assert len(events_of(client.get(third).text)) == len(events) - 3
        with library_client.responses.stream(response_id=begun["id"], starting_after=57) as helper:
            assert helper.get_final_response().output_text == "Hello wörld"


def test_what_cannot_be_begun_again_has_failed_and_says_why(quiet: Daemon, http: httpx.Client) -> None:
    quiet.scheduler.script = lambda r: [accepted(r), delta(r, "Hello"), finished(r)]
    first = http.post(PATH, json={"input": "Good day"}).json()["id"]
    quiet.scheduler.script = lambda r: []
    begun = begin(http, previous_response_id=first)
    http.delete(f"{PATH}/{first}")
    with after_a_power_cut(quiet) as (_, client):
        found = client.get(f"{PATH}/{begun['id']}").json()
        assert found["status"] == "failed" and first in found["error"]["message"]


def test_a_daemon_that_stops_leaves_what_it_writes_to_the_next(tmp_path: Any, timing: Any) -> None:
    with served(tmp_path, timing) as daemon, httpx.Client(base_url=daemon.url, trust_env=False) as client:
        daemon.scheduler.script = lambda r: [accepted(r), delta(r, "Hel")]
        begun = begin(client)
        status_of(client, begun["id"], "in_progress")
    with served(tmp_path, timing) as daemon, httpx.Client(base_url=daemon.url, trust_env=False) as client:
        found = status_of(client, begun["id"], "completed")
        assert found["output"][0]["content"][0]["text"] == "Hello wörld"


def test_one_key_does_not_see_what_is_being_written_for_another(http: httpx.Client, quiet: Daemon) -> None:
    key = http.post("/admin/v1/keys", json={"name": "a", "scope": "admin"}).json()["key"]
    owner = {"authorization": f"Bearer {key}"}
    key = http.post("/admin/v1/keys", json={"name": "b"}, headers=owner).json()["key"]
    other = {"authorization": f"Bearer {key}"}
    begun = http.post(PATH, json={"input": "Hi", "background": True}, headers=owner).json()
    path = f"{PATH}/{begun['id']}"
    for method, end in (
        ("GET", ""),
        ("GET", "?stream=true"),
        ("GET", "/input_items"),
        ("POST", "/cancel"),
        ("DELETE", ""),
    ):
        assert http.request(method, path + end, headers=other).status_code == 404
    assert http.get(path, headers=owner).json()["status"] == "queued"

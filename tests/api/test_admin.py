"""`/admin/v1` with our own client, `/v1/models`, and what operators watch."""

from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from appliance.client import Client, ClientError
from appliance.core.admin import Done, Progress
from appliance.core.events import ModelStateChanged, TokensEmitted
from appliance.core.request import RequestId
from appliance.errors import DoesNotFit
from models.embedded import EMBEDDED_PATH
from models.store.store import ModelStore
from tests.api.conftest import Daemon
from tests.fakes import loaded_status


@pytest.fixture
def client(daemon: Daemon) -> Client:
    return Client(daemon.url)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(EMBEDDED_PATH.read_bytes())
    return path


def test_models_are_listed_with_context_and_capabilities(http: httpx.Client, openai: OpenAI) -> None:
    assert [model.id for model in openai.models.list()] == ["guide"]
    model = http.get("/v1/models/guide").json()
    assert (model["object"], model["context_length"], model["owned_by"]) == ("model", 2048, "library")
    assert "chat" in model["capabilities"]


def test_a_file_is_adopted_shown_and_removed(client: Client, openai: OpenAI, file: Path) -> None:
    events = list(client.add_model(str(file), name="acme/tiny:v2"))
    assert isinstance(events[0], Progress)
    assert isinstance(events[-1], Done)
    assert events[-1].model.name == "acme/tiny:v2"
    assert openai.models.retrieve("acme/tiny:v2").owned_by == "acme"
    assert client.model("Acme/Tiny:v2").path == str(file)
    assert client.remove("acme/tiny:v2").name == "acme/tiny:v2"
    assert [model.name for model in client.models()] == ["guide"]
    assert file.exists()


def test_a_model_added_without_the_daemon_is_found(client: Client, daemon: Daemon, file: Path) -> None:
    for _ in ModelStore(daemon.home).add(file, "late", False, 0.0):
        pass
    assert client.model("late").name == "late"


def test_what_cannot_be_added_keeps_its_status(client: Client, file: Path) -> None:
    for path, name, status in (("/nowhere.gguf", None, 400), (str(file), "guide", 409), (str(file), "a b", 400)):
        with pytest.raises(ClientError) as caught:
            list(client.add_model(path, name=name))
        assert caught.value.status == status


def test_a_model_is_loaded_with_progress_pinned_and_unloaded(client: Client, daemon: Daemon) -> None:
    events = list(client.load("guide"))
    assert [event.done for event in events if isinstance(event, Progress)] == [0.5, 1.0]
    assert isinstance(events[-1], Done)
    client.pin("guide", is_pinned=False)
    client.unload("GUIDE")
    assert (daemon.scheduler.pins, daemon.scheduler.unloaded) == ([("guide", False)], ["guide"])


def test_a_load_that_fails_ends_in_a_problem(client: Client, daemon: Daemon) -> None:
    daemon.scheduler.load_error = DoesNotFit("needs 5.1 GiB, 3.8 GiB are free")
    events = client.load("guide")
    assert isinstance(next(events), Progress)
    with pytest.raises(ClientError, match="needs 5") as caught:
        list(events)
    assert caught.value.code == "does_not_fit"


def test_a_model_in_memory_is_not_removed(client: Client, daemon: Daemon, file: Path) -> None:
    list(client.add_model(str(file), name="tiny"))
    daemon.scheduler.statuses = (loaded_status("tiny"),)
    with pytest.raises(ClientError, match="unload it first") as caught:
        client.remove("tiny")
    assert caught.value.status == 409


def test_the_status_shows_models_machine_and_versions(client: Client, daemon: Daemon) -> None:
    daemon.scheduler.statuses = (loaded_status("guide"),)
    status = client.status()
    assert (status.state, status.is_ready, status.default_model) == ("serving", False, "guide")
    assert (status.num_running, status.num_waiting) == (1, 2)
    assert status.models == daemon.scheduler.statuses
    assert status.machine.memory_available_bytes == 2**30
    assert status.versions.backends == {"echo": "1"}
    assert client.model("guide").state == "ready"
    assert client.model("guide").context_tokens == 1024


def test_keys_are_made_listed_and_revoked(client: Client, daemon: Daemon) -> None:
    admin = Client(daemon.url, client.create_key("root", "admin").key)
    created = admin.create_key("deploy", "operate")
    listed = admin.keys()
    assert [(key.name, key.scope) for key in listed] == [("root", "admin"), ("deploy", "operate")]
    assert Client(daemon.url, created.key).models()[0].name == "guide"
    with pytest.raises(ClientError) as caught:
        admin.create_key("deploy")
    assert caught.value.status == 409
    admin.revoke_key("deploy")
    with pytest.raises(ClientError) as caught:
        Client(daemon.url, created.key).models()
    assert caught.value.status == 401


def test_ready_follows_the_default_models_first_answer(http: httpx.Client, daemon: Daemon) -> None:
    response = http.get("/ready")
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "guide" in response.json()["reason"]
    token = TokensEmitted(id=RequestId("r"), model="guide", num_tokens=1, interval_s=0.1, is_first=True)
    daemon.do(lambda: daemon.parts.readiness.observe(token))
    assert http.get("/ready").status_code == 200
    stopped = ModelStateChanged(model="guide", state="stopped", reason="idle")
    daemon.do(lambda: daemon.parts.readiness.observe(stopped))
    assert http.get("/ready").status_code == 200
    daemon.do(daemon.parts.readiness.drain)
    assert http.get("/ready").status_code == 503


def test_metrics_are_prometheus_text(http: httpx.Client, daemon: Daemon) -> None:
    token = TokensEmitted(id=RequestId("r"), model="guide", num_tokens=3, interval_s=0.1, is_first=True)
    daemon.do(lambda: daemon.parts.metrics.observe(token))
    response = http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert 'appliance_generation_tokens_total{model="guide"} 3.0' in response.text

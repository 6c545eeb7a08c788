"""Pulling over HTTP: our own route, and Ollama's with its own client, from hubs on this machine."""

from collections.abc import Iterator

import httpx
import pytest
from ollama import Client, ResponseError

from appliance.client import ClientError
from appliance.core.jobs import Job
from appliance.core.pulls import PullModel
from tests.conftest import RealDaemon
from tests.pulling import NAME, REFERENCE, SHA256, SIZE, Hubs, blobs, downloads, hubs, pulling_daemon

HI = [{"role": "user", "content": "Hi"}]


@pytest.fixture(scope="module")
def around() -> Iterator[Hubs]:
    with hubs() as around:
        yield around


@pytest.fixture(autouse=True)
def mended(around: Hubs) -> Iterator[None]:
    yield
    around.hub.faults.mend()
    around.registry.faults.mend()


@pytest.fixture(scope="module")
def box(around: Hubs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    with pulling_daemon(tmp_path_factory.mktemp("pulls") / "home", around) as daemon:
        daemon.wait_until(lambda: daemon.client.status().is_ready)
        yield daemon


@pytest.fixture
def ollama(box: RealDaemon) -> Iterator[Client]:
    with Client(box.url, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture(autouse=True)
def emptied(box: RealDaemon, ollama: Client) -> Iterator[None]:
    yield
    for model in box.client.models():
        if model.name != "guide":
            ollama.delete(model.name)


def end(box: RealDaemon, job: Job) -> Job:
    return list(box.client.follow_job(job.id))[-1]


def test_a_model_that_was_pulled_is_whole_is_told_of_and_talks(box: RealDaemon, ollama: Client) -> None:
    job = end(box, box.client.pull_model(PullModel(model=REFERENCE)))
    assert job.result is not None, job.error
    assert (job.result["model"], job.result["size_bytes"]) == (NAME, SIZE)
    assert str(job.result["reference"]).startswith("hf:acme/heron-GGUF:heron-Q8_0.gguf@")
    model = box.client.model(NAME)
    assert (model.digest, model.licence) == (f"sha256:{SHA256}", "apache-2.0")
    assert downloads(box.home) == []
    assert ollama.chat(NAME, HI, options={"num_predict": 3}).message.content


def test_who_asks_for_the_same_model_joins_the_job_whatever_door_they_come_by(
    box: RealDaemon, around: Hubs, ollama: Client
) -> None:
    around.hub.faults.hold_after(100_000)
    first = box.client.pull_model(PullModel(model="acme/heron-GGUF", quantization="Q8_0"))
    around.hub.faults.wait_until_held()
    body = {"model": " hf:acme/heron-GGUF:Q8_0 "}
    key = {"Authorization": f"Bearer {(box.home / 'run' / 'local.key').read_text()}"}
    answer = httpx.post(f"{box.url}/admin/v1/models/pull", json=body, headers=key, trust_env=False)
    assert (answer.status_code, answer.json()["id"]) == (202, first.id)
    around.hub.faults.release()
    assert end(box, first).state == "done"


def test_progress_has_bytes_a_rate_and_what_is_left(box: RealDaemon, around: Hubs) -> None:
    around.hub.faults.slow(1_000_000)
    seen = [job.progress for job in box.client.follow_job(box.client.pull_model(PullModel(model=REFERENCE)).id)]
    fetching = [each for each in seen if each.text == "fetching heron-Q8_0.gguf"]
    assert {(each.total, each.unit, each.digest) for each in fetching} == {(SIZE, "bytes", f"sha256:{SHA256}")}
    rated = [each for each in fetching if each.rate]
    assert rated
    assert all(0 < (each.rate or 0) < 50_000_000 and each.left_s is not None for each in rated)


def test_a_pull_that_is_cancelled_leaves_nothing_and_one_that_is_paused_goes_on(
    box: RealDaemon, around: Hubs, ollama: Client
) -> None:
    around.hub.faults.slow(500_000)
    job = box.client.pull_model(PullModel(model=REFERENCE))
    box.wait_until(lambda: box.client.job(job.id).progress.done > 100_000)
    assert box.client.pause_job(job.id).state == "paused"
    around.hub.faults.mend()
    assert box.client.resume_job(job.id).state == "running"
    assert end(box, job).state == "done"
    ollama.delete(NAME)
    around.hub.faults.slow(100_000)
    job = box.client.pull_model(PullModel(model=REFERENCE))
    box.wait_until(lambda: downloads(box.home) != [] and box.client.job(job.id).progress.done > 50_000)
    assert box.client.cancel_job(job.id).state == "cancelled"
    assert (downloads(box.home), blobs(box.home)) == ([], [])


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ({"model": "hf:acme"}, "is no repository"),
        ({"model": ""}, "names no model"),
        ({"model": REFERENCE, "name": "../x"}, "is not a model name"),
        ({"model": "https://a.example/x.gguf", "quantization": "Q4_0"}, "no quantization to choose"),
        ({"model": REFERENCE, "max_bytes_per_s": 1}, "no limit that a model could come at"),
        ({"model": "./x.gguf"}, "whole path"),
    ],
)
def test_what_is_no_order_is_refused_at_once(box: RealDaemon, order: dict[str, str], message: str) -> None:
    key = {"Authorization": f"Bearer {(box.home / 'run' / 'local.key').read_text()}"}
    answer = httpx.post(f"{box.url}/admin/v1/models/pull", json=order, headers=key, trust_env=False)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_a_name_that_another_model_has_is_refused_before_a_byte_is_fetched(box: RealDaemon, around: Hubs) -> None:
    assert end(box, box.client.pull_model(PullModel(model=REFERENCE, name="taken"))).state == "done"
    around.hub.storage.requests.clear()
    job = end(box, box.client.pull_model(PullModel(model="ollama:heron:1b", name="taken")))
    assert job.error is not None
    assert (job.error.kind, "another model is called 'taken'" in job.error.message) == ("Conflict", True)
    job = end(box, box.client.pull_model(PullModel(model=REFERENCE, name="guide")))
    assert job.error is not None
    assert "is the embedded model" in job.error.message
    assert around.hub.storage.requests == []


def test_ollamas_client_sees_the_bytes_come_and_talks_to_the_model_under_the_name_that_it_pulled(
    ollama: Client, around: Hubs
) -> None:
    around.registry.faults.slow(3_000_000)
    lines = list(ollama.pull("heron:1b", stream=True))
    statuses = list(dict.fromkeys(line.status for line in lines))
    expected = ["pulling manifest", f"pulling {SHA256[:12]}", "verifying sha256 digest", "writing manifest", "success"]
    assert statuses == expected
    bytes_ = [line for line in lines if line.digest]
    assert {(line.digest, line.total) for line in bytes_} == {(f"sha256:{SHA256}", SIZE)}
    assert [line.completed for line in bytes_] == sorted(line.completed or 0 for line in bytes_)
    assert bytes_[-1].completed == SIZE
    assert ollama.show("heron:1b").modelfile and "Be brief." in str(ollama.show("heron:1b").modelfile)
    assert ollama.chat("heron:1b", HI, options={"num_predict": 3}).message.content
    assert ollama.pull("heron:1b").status == "success"


def test_a_model_of_hugging_face_has_the_name_that_ollamas_clients_give_it(ollama: Client) -> None:
    assert ollama.pull("hf.co/acme/heron-GGUF:Q8_0").status == "success"
    assert ollama.chat("hf.co/acme/heron-GGUF:Q8_0", HI, options={"num_predict": 3}).message.content


def test_a_model_that_is_nowhere_is_said_as_ollama_says_it(ollama: Client, box: RealDaemon) -> None:
    for ask in (lambda: ollama.pull("no-such-model"), lambda: list(ollama.pull("no-such-model", stream=True))):
        with pytest.raises(ResponseError, match=r"^pull model manifest: "):
            ask()
    with pytest.raises(ResponseError, match=r"is no registry; write ollama:"):
        ollama.pull("../etc/passwd")
    with pytest.raises(ClientError):
        box.client.job("none")
    assert ollama.pull("guide").status == "success"

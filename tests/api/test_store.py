"""`/admin/v1`: names, versions and health of the store, and LoRA adapters, with our own client."""

from pathlib import Path

import httpx
import pytest

from appliance.client import Client, ClientError
from appliance.core.admin import AddModel
from models.store.store import ModelStore
from tests.api.conftest import Daemon
from tests.fakes import loaded_status
from tests.unit.models.loras import write_base, write_lora, write_peft
from tests.unit.models.store.test_store import add, write_model
from tests.unit.models.stores import fetch


@pytest.fixture
def client(daemon: Daemon) -> Client:
    return Client(daemon.url)


@pytest.fixture
def store(daemon: Daemon) -> ModelStore:
    return ModelStore(daemon.home)


def test_an_alias_can_be_used_moved_and_rolled_back(client: Client, store: ModelStore, tmp_path: Path) -> None:
    for number in (1, 2):
        add(store, write_model(tmp_path / f"{number}.gguf", number), f"m{number}", copy=True)
    first = client.alias("m1", "acme/m:stable")
    assert (first.name, first.alias_of, first.version) == ("acme/m:stable", "m1", 1)
    assert client.alias("M2", "acme/m:stable").version == 2
    versions = client.versions("acme/m:stable").versions
    assert [(version.number, version.is_current) for version in versions] == [(2, True), (1, False)]
    back = client.roll_back("acme/m:stable")
    assert [(version.number, version.is_current) for version in back.versions] == [(2, False), (1, True)]
    assert client.model("acme/m:stable").digest == client.model("m1").digest
    assert client.roll_back("acme/m:stable", 2).versions[0].is_current


def test_a_worker_of_what_a_name_meant_is_let_go(
    client: Client, daemon: Daemon, store: ModelStore, tmp_path: Path
) -> None:
    for number in (1, 2):
        add(store, write_model(tmp_path / f"{number}.gguf", number), f"m{number}")
    client.alias("m1", "m:stable")
    names = ("m:stable", "m:stable@llama_cpp", "m1")
    daemon.scheduler.statuses = tuple(loaded_status(name) for name in names)
    client.alias("m2", "m:stable")
    assert daemon.scheduler.renewed == ["m:stable", "m:stable@llama_cpp"]
    client.roll_back("m:stable")
    assert daemon.scheduler.renewed == ["m:stable", "m:stable@llama_cpp"] * 2


def test_names_that_cannot_be_given_keep_their_status(client: Client, store: ModelStore, tmp_path: Path) -> None:
    add(store, write_model(tmp_path / "a.gguf"), "a")
    for name, alias, status in (
        ("absent", "b", 404),
        ("a", "guide", 409),
        ("guide", "a", 409),
        ("a", "../b", 400),
        ("a", "a", 400),
    ):
        with pytest.raises(ClientError) as caught:
            client.alias(name, alias)
        assert caught.value.status == status, (name, alias)
    with pytest.raises(ClientError, match="no version before 1") as caught:
        client.roll_back("a")
    assert caught.value.status == 400
    with pytest.raises(ClientError) as caught:
        client.versions("absent")
    assert caught.value.status == 404


def test_garbage_is_named_before_it_is_deleted(client: Client, daemon: Daemon, store: ModelStore) -> None:
    fetch(store, daemon.home / "downloads" / "1", "t", 1.0)
    for number in (2, 3, 4):
        fetch(store, daemon.home / "downloads" / str(number), "t", float(number), revision=f"r{number}")
    dry = client.collect_garbage(is_dry_run=True)
    assert dry.is_dry_run
    assert [(item.kind, item.name) for item in dry.items if item.kind == "version"] == [("version", "t, version 1")]
    assert len(client.versions("t").versions) == 4
    done = client.collect_garbage()
    assert (done.items, done.size_bytes, done.is_dry_run) == (dry.items, dry.size_bytes, False)
    assert len(client.versions("t").versions) == 3
    assert len(client.collect_garbage(keep_versions=0).items) > 0
    assert len(client.versions("t").versions) == 1


def test_a_scrub_is_a_job(client: Client, http: httpx.Client) -> None:
    answer = http.post("/admin/v1/models/scrub", json={"model": "absent"})
    assert answer.status_code == 404
    assert http.post("/admin/v1/models/scrub", json={"max_bytes_per_s": 0}).status_code == 400


def test_where_a_model_is_from_is_shown(client: Client, daemon: Daemon, store: ModelStore) -> None:
    fetch(store, daemon.home / "downloads" / "1", "t", 1.0)
    came = client.model("t").provenance
    assert came is not None
    assert (came.kind, came.reference, came.revision) == ("hugging_face", "hf:acme/tiny:tiny.gguf@r1", "r1")
    assert (came.files[0].name, came.files[0].is_stated) == ("tiny.gguf", True)
    assert client.model("guide").provenance is None


def test_a_changed_file_is_a_problem_of_its_model(client: Client, store: ModelStore, tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.gguf")
    add(store, path, "a")
    assert client.model("a").problems == ()
    path.write_bytes(b"other")
    assert "had" in client.model("a").problems[0]


def test_adapters_are_added_listed_with_what_they_fit_and_removed(
    client: Client, store: ModelStore, tmp_path: Path
) -> None:
    add(store, write_base(tmp_path / "base.gguf"), "base")
    added = client.add_adapter(str(write_lora(tmp_path / "tone.gguf")), base="base")
    assert (added.name, added.rank, added.fits) == ("tone", 4, ("base",))
    client.add_adapter(str(write_peft(tmp_path / "peft")), name="other", copy=True)
    assert [(adapter.name, adapter.format, adapter.fits) for adapter in client.adapters()] == [
        ("other", "peft", ("base",)),
        ("tone", "gguf", ("base",)),
    ]
    assert client.remove_adapter("tone").kept_path == str(tmp_path / "tone.gguf")
    assert client.remove_adapter("other").freed_bytes > 0
    assert client.adapters() == ()


def test_an_adapter_that_does_not_fit_is_refused_with_the_reason(client: Client, tmp_path: Path) -> None:
    path = write_lora(tmp_path / "tone.gguf")
    with pytest.raises(
        ClientError, match=r"does not fit 'guide': tensor 'blk\.0\.attn_q\.weight' is 256 × 256"
    ) as caught:
        client.add_adapter(str(path), base="guide")
    assert caught.value.status == 400
    for status, call in (
        (404, lambda: client.add_adapter(str(path), base="absent")),
        (404, lambda: client.remove_adapter("absent")),
        (400, lambda: client.add_adapter(str(tmp_path / "absent.gguf"))),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.status == status


def test_a_file_takes_the_name_of_another_model_when_it_is_told_to(
    client: Client, daemon: Daemon, store: ModelStore, tmp_path: Path
) -> None:
    first, second = (write_model(tmp_path / f"{number}.gguf", number) for number in (1, 2))
    list(client.add_model(str(first), name="m"))
    with pytest.raises(ClientError, match="--replace"):
        list(client.add_model(str(second), name="m"))
    daemon.scheduler.statuses = (loaded_status("m"),)
    list(client.adopt(AddModel(path=str(second), name="m", replace=True)))
    assert daemon.scheduler.renewed == ["m"]
    assert client.model("m").path == str(second)
    assert [version.number for version in client.versions("m").versions] == [2, 1]
    list(client.adopt(AddModel(path=str(second), name="m", replace=True)))
    assert daemon.scheduler.renewed == ["m"]
    client.roll_back("m")
    assert client.model("m").path == str(first)

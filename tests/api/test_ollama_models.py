"""What Ollama's clients ask about models and do to them, with the `ollama` package."""

import hashlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from ollama import Client, ResponseError

from appliance.core.caller import Scope
from appliance.core.request import ChatPrompt
from models.embedded import EMBEDDED_PATH
from tests.api.conftest import PATIENT, Daemon, served
from tests.fakes import loaded_status

HI = [{"role": "user", "content": "Hi"}]
PATIENCE_S = 30
CONTENT = EMBEDDED_PATH.read_bytes()
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
SCOPES: tuple[Scope, ...] = ("use", "operate", "admin")


@pytest.fixture
def ollama(daemon: Daemon) -> Iterator[Client]:
    with Client(daemon.url, trust_env=False, timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon for the many requests that change nothing."""
    with served(tmp_path_factory.mktemp("shared"), PATIENT) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def asked(shared: Daemon) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shared.url, trust_env=False, timeout=10) as client:
        yield client


def names(ollama: Client) -> list[str]:
    return [str(model.model) for model in ollama.list().models]


def uploads(daemon: Daemon) -> list[str]:
    folder = daemon.home / "models" / "uploads"
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def wait_until(daemon: Daemon, claim: Callable[[], bool]) -> None:
    """Look again whenever the server has done something."""
    ends_s = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < ends_s, "it never came to be"
        daemon.do(lambda: None)


def error_of(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ResponseError) as caught:
        call()
    return caught.value.status_code, caught.value.error


def test_clients_find_the_server_at_its_root_also_without_a_key(http: httpx.Client, daemon: Daemon) -> None:
    daemon.parts.keys.create("ci", "use")
    assert http.get("/").text == "Ollama is running"
    head = http.head("/")
    assert (head.status_code, head.content) == (200, b"")
    assert http.get("/api/version").status_code == 401


def test_the_version_can_be_compared(asked: httpx.Client) -> None:
    version = tuple(int(part) for part in asked.get("/api/version").json()["version"].split("."))
    assert version >= (0, 12, 0)


def test_models_are_listed_with_their_tags(ollama: Client) -> None:
    (model,) = ollama.list().models
    assert model.model == "guide:latest"
    assert model.size == len(CONTENT)
    assert model.digest == DIGEST.removeprefix("sha256:")
    assert model.modified_at is not None
    assert model.details is not None
    assert (model.details.format, model.details.family, model.details.parameter_size) == ("gguf", "llama", "6.56M")


@pytest.mark.parametrize("field", ["model", "name"])
def test_a_model_is_shown_by_either_name(asked: httpx.Client, field: str) -> None:
    shown = asked.post("/api/show", json={field: "guide:latest"}).json()
    assert shown["capabilities"] == ["completion", "tools"]
    info = shown["model_info"]
    assert (info["general.architecture"], info["llama.context_length"]) == ("llama", 2048)
    assert info["general.parameter_count"] > 6_000_000
    assert info["tokenizer.ggml.tokens"] is None
    assert "tokenizer.chat_template" not in info
    assert "{%-" in shown["template"]
    assert shown["parameters"].split() == ["num_ctx", "2048"]
    assert shown["modelfile"].startswith("FROM guide:latest\n")
    assert shown["details"]["quantization_level"] == "Q8_0"


def test_models_in_memory_are_listed_with_their_end(ollama: Client, daemon: Daemon) -> None:
    assert ollama.ps().models == []
    soon = msgspec.structs.replace(loaded_status("guide"), expires_in_s=60.0, device="cuda:0")
    daemon.scheduler.statuses = (soon,)
    (model,) = ollama.ps().models
    assert (model.name, model.context_length, model.size_vram) == ("guide:latest", 1024, 2**20)
    daemon.scheduler.statuses = (loaded_status("guide"), loaded_status("other", "failed"))
    (kept,) = ollama.ps().models
    assert kept.size_vram == 0
    assert kept.expires_at is not None
    assert model.expires_at is not None
    assert (kept.expires_at - model.expires_at).days > 100_000


def test_a_model_is_copied_and_its_copy_deleted(ollama: Client, daemon: Daemon) -> None:
    assert ollama.copy("guide", "me/copy:v1").status == "success"
    assert names(ollama) == ["guide:latest", "me/copy:v1"]
    assert ollama.chat("me/copy:v1", HI).message.content
    daemon.scheduler.statuses = (loaded_status("me/copy:v1"),)
    assert error_of(lambda: ollama.delete("me/copy:v1"))[0] == 409  # the fake never stops a model
    assert daemon.scheduler.unloaded == ["me/copy:v1"]
    daemon.scheduler.statuses = ()
    assert ollama.delete("me/copy:v1").status == "success"
    assert names(ollama) == ["guide:latest"]


def test_the_embedded_model_stays_and_is_not_even_unloaded(ollama: Client, daemon: Daemon) -> None:
    status, said = error_of(lambda: ollama.delete("guide"))
    assert (status, "part of the appliance" in said) == (400, True)
    assert daemon.scheduler.unloaded == []
    assert error_of(lambda: ollama.create("guide", from_="guide", system="Be someone else."))[0] == 409


def test_a_model_of_ones_own_begins_as_its_maker_says(ollama: Client, daemon: Daemon) -> None:
    turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Mario!"}]
    made = ollama.create(
        "mario",
        from_="guide",
        system="You are Mario.",
        parameters={"temperature": 0.1, "stop": ["END"], "num_ctx": 1024},
        messages=turns,
        license="mine",
    )
    assert made.status == "success"
    shown = ollama.show("mario")
    assert shown.parameters is not None
    assert "temperature                    0.1" in shown.parameters
    assert shown.license == "mine"
    assert shown.details is not None
    assert shown.details.parent_model == "guide:latest"
    ollama.chat("mario", HI, options={"seed": 3})
    core = daemon.scheduler.last
    assert isinstance(core.prompt, ChatPrompt)
    assert [(m.role, m.content) for m in core.prompt.messages] == [
        ("system", "You are Mario."),
        ("user", "Who?"),
        ("assistant", "Mario!"),
        ("user", "Hi"),
    ]
    assert (core.sampling.temperature, core.sampling.seed, core.stop.strings) == (0.1, 3, ("END",))
    ollama.chat("mario", [{"role": "system", "content": "Be Luigi."}, *HI])
    assert isinstance(daemon.scheduler.last.prompt, ChatPrompt)
    assert daemon.scheduler.last.prompt.messages[0].content == "Be Luigi."


def test_other_dialects_begin_alike(ollama: Client, http: httpx.Client, daemon: Daemon) -> None:
    ollama.create("mario", from_="guide", system="You are Mario.")
    http.post("/v1/chat/completions", json={"model": "mario", "messages": HI})
    assert isinstance(daemon.scheduler.last.prompt, ChatPrompt)
    assert daemon.scheduler.last.prompt.messages[0].content == "You are Mario."


def test_a_model_is_made_again_and_made_of_what_was_made(ollama: Client) -> None:
    ollama.create("mario", from_="guide", system="one", parameters={"seed": 1})
    ollama.create("mario", from_="guide", system="two")
    assert '"""two"""' in str(ollama.show("mario").modelfile)
    assert "seed" not in str(ollama.show("mario").parameters)
    ollama.create("luigi", from_="mario", parameters={"seed": 2})
    assert '"""two"""' in str(ollama.show("luigi").modelfile)
    statuses = [part.status for part in ollama.create("luigi", from_="mario", stream=True)]
    assert statuses[-1] == "success"


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({}, 400, "'from'"),
        ({"from": "guide", "files": {"a.gguf": DIGEST}}, 400, "'from'"),
        ({"from": "gude"}, 404, "not found"),
        ({"from": "guide", "adapters": {"a": DIGEST}}, 400, "MODEL+ADAPTER"),
        ({"from": "guide", "quantize": "q4_K_M"}, 400, "appliance models quantize"),
        ({"from": "guide", "template": "{{ .Prompt }}"}, 400, "template"),
        ({"from": "guide", "parameters": {"temperature": "hot"}}, 400, "temperature"),
        ({"files": {"a.gguf": DIGEST, "b.gguf": DIGEST}}, 400, "single GGUF"),
        ({"files": {"a.gguf": DIGEST}}, 400, "was uploaded"),
        ({"files": {"a.gguf": "sha256:../../etc/passwd"}}, 400, "invalid digest"),
        ({"from": "guide", "model": "../up"}, 400, "model name"),
        ({"from": "guide", "model": "x@tvm"}, 400, "[publisher/]name"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_reason(
    asked: httpx.Client, fields: dict[str, Any], status: int, said: str
) -> None:
    response = asked.post("/api/create", json={"model": "new"} | fields)
    assert (response.status_code, said in response.json()["error"]) == (status, True), response.text
    assert [model["name"] for model in asked.get("/api/tags").json()["models"]] == ["guide:latest"]


def test_an_uploaded_file_becomes_a_model(ollama: Client, http: httpx.Client, daemon: Daemon) -> None:
    assert http.head(f"/api/blobs/{DIGEST}").status_code == 404
    assert ollama.create_blob(EMBEDDED_PATH) == DIGEST  # larger than max_body_bytes
    assert http.head(f"/api/blobs/{DIGEST}").status_code == 200
    again = http.post(f"/api/blobs/{DIGEST}", content=CONTENT)
    assert (again.status_code, again.content) == (200, b"")
    assert ollama.create("mine", files={"guide.gguf": DIGEST}, system="Be brief.").status == "success"
    assert names(ollama) == ["guide:latest", "mine:latest"]
    assert uploads(daemon) == []
    assert ollama.create("more", files={"guide.gguf": DIGEST}).status == "success"
    assert http.head(f"/api/blobs/{DIGEST}").status_code == 200
    ollama.delete("mine")
    assert (daemon.home / "models" / "blobs" / DIGEST.replace(":", "-")).exists()
    assert ollama.chat("more", HI).message.content
    ollama.delete("more")
    assert http.head(f"/api/blobs/{DIGEST}").status_code == 404


def test_a_file_that_is_no_model_makes_none(ollama: Client, http: httpx.Client) -> None:
    content = b"GGUF, it says"
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    uploaded = http.post(f"/api/blobs/{digest}", content=content)
    assert (uploaded.status_code, uploaded.content) == (201, b"")
    status, said = error_of(lambda: ollama.create("mine", files={"a.gguf": digest}))
    assert (status, "no usable GGUF" in said) == (400, True)
    assert names(ollama) == ["guide:latest"]


def test_a_file_of_another_digest_is_refused_and_leaves_nothing(http: httpx.Client, daemon: Daemon) -> None:
    response = http.post(f"/api/blobs/{DIGEST}", content=CONTENT[:-1])
    assert response.status_code == 400
    assert "digest mismatch" in response.json()["error"]
    assert uploads(daemon) == []


@pytest.mark.parametrize(
    "digest", ["sha256:12", "..%2f..%2fstate.db", "md5:" + "0" * 64, "sha256:" + "G" * 64, "a" * 9999]
)
def test_a_digest_that_is_none_names_no_file(asked: httpx.Client, shared: Daemon, digest: str) -> None:
    for method in ("HEAD", "POST"):
        assert asked.request(method, f"/api/blobs/{digest}", content=b"x").status_code in (400, 404)
    assert uploads(shared) == []


def test_an_upload_that_breaks_off_leaves_nothing(daemon: Daemon, ollama: Client) -> None:
    host, port = daemon.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"POST /api/blobs/{DIGEST} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(CONTENT)}\r\n\r\n"
        connection.sendall(head.encode() + CONTENT[: 3 * 2**20])
        wait_until(daemon, lambda: [name.endswith(".partial") for name in uploads(daemon)] == [True])
    wait_until(daemon, lambda: uploads(daemon) == [])
    ollama.create_blob(EMBEDDED_PATH)
    assert uploads(daemon) == [DIGEST.replace(":", "-")]


def test_what_was_made_here_need_not_be_pulled_and_nothing_is_pushed(ollama: Client) -> None:
    assert ollama.pull("guide").status == "success"
    assert [part.status for part in ollama.pull("guide", stream=True)][-1] == "success"
    status, said = error_of(lambda: ollama.push("guide"))
    assert (status, "pushed" in said) == (400, True)


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Scope, httpx.Client]]:
    """A client for each scope."""
    with served(tmp_path_factory.mktemp("keyed"), PATIENT) as daemon, ExitStack() as stack:
        keys = {scope: daemon.parts.keys.create(scope, scope).key for scope in SCOPES}
        yield {
            scope: stack.enter_context(
                httpx.Client(base_url=daemon.url, trust_env=False, headers={"authorization": f"Bearer {key}"})
            )
            for scope, key in keys.items()
        }


@pytest.mark.parametrize(
    ("method", "path", "body", "needed"),
    [
        ("GET", "/api/tags", None, "use"),
        ("GET", "/api/ps", None, "use"),
        ("POST", "/api/show", {"model": "guide"}, "use"),
        ("POST", "/api/chat", {"messages": HI}, "use"),
        ("POST", "/api/generate", {"prompt": "Hi"}, "use"),
        ("POST", "/api/pull", {"model": "guide"}, "operate"),
        ("POST", "/api/push", {"model": "guide"}, "operate"),
        ("POST", "/api/create", {"model": "x", "from": "nothing"}, "operate"),
        ("POST", "/api/copy", {"source": "nothing", "destination": "x"}, "operate"),
        ("POST", "/api/blobs/sha256:0", None, "operate"),
        ("DELETE", "/api/delete", {"model": "nothing"}, "admin"),
    ],
)
def test_a_key_may_do_what_its_scope_says(
    keyed: dict[Scope, httpx.Client], method: str, path: str, body: Any, needed: Scope
) -> None:
    for scope, client in keyed.items():
        response = client.request(method, path, json=body)
        is_allowed = SCOPES.index(scope) >= SCOPES.index(needed)
        assert (response.status_code != 403) == is_allowed, (scope, response.text)
        if not is_allowed:
            assert list(json.loads(response.text)) == ["error"]


@pytest.mark.parametrize("path", ["/api/show", "/api/pull", "/api/push", "/api/create"])
def test_a_name_is_needed(asked: httpx.Client, path: str) -> None:
    response = asked.post(path, json={})
    assert (response.status_code, response.json()) == (400, {"error": "'model' is required"})


def test_a_path_that_is_not_there_is_an_error_of_the_dialect(asked: httpx.Client) -> None:
    response = asked.post("/api/nowhere", json={})
    assert (response.status_code, list(response.json())) == (404, ["error"])


@pytest.fixture
def copied(ollama: Client, daemon: Daemon) -> Path:
    ollama.copy("guide", "copy")
    manifest = daemon.parts.installed.manifest("copy")
    return Path(manifest.files[0].path)


def test_a_copy_of_the_embedded_model_outlives_an_update(copied: Path) -> None:
    assert copied != EMBEDDED_PATH
    assert copied.read_bytes() == CONTENT

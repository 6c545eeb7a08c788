"""Who is let in: by key and scope, by host name, by origin."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.api.access import Authenticator
from appliance.core.caller import Scope
from appliance.errors import Unauthorized
from appliance.ops.keys import KeyStore
from tests.api.conftest import LOCAL_SECRET, Daemon

HI = {"messages": [{"role": "user", "content": "Hi"}]}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_without_a_key_everybody_on_this_machine_may_do_everything(http: httpx.Client, daemon: Daemon) -> None:
    assert http.get("/admin/v1/keys", headers=bearer("nonsense")).json() == {"keys": []}
    http.post("/v1/chat/completions", json=HI)
    assert daemon.scheduler.requests[0][1].id == "local"


def test_from_the_first_key_on_every_request_needs_one(http: httpx.Client) -> None:
    key = http.post("/admin/v1/keys", json={"name": "ci"}).json()["key"]
    assert key.startswith("sk-")
    for path in ("/v1/models", "/admin/v1/status", "/metrics", "/nowhere"):
        response = http.get(path)
        assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_api_key")
        assert response.headers["www-authenticate"] == "Bearer"
        assert http.get(path, headers=bearer("sk-wrong")).status_code == 401
    for path in ("/health", "/ready"):
        assert http.get(path).status_code in (200, 503)
    for headers in (bearer(key), {"x-api-key": key}, {"authorization": f"bearer  {key}"}):
        assert http.get("/v1/models", headers=headers).status_code == 200
    assert http.get("/admin/v1/keys", headers=bearer(LOCAL_SECRET)).json()["keys"][0]["name"] == "ci"


@pytest.mark.parametrize(
    ("method", "path", "body", "needed"),
    [
        ("POST", "/v1/chat/completions", HI, "use"),
        ("GET", "/metrics", None, "use"),
        ("GET", "/admin/v1/status", None, "use"),
        ("GET", "/admin/v1/models", None, "use"),
        ("POST", "/admin/v1/models/load", {"model": "guide"}, "operate"),
        ("POST", "/admin/v1/models/unload", {"model": "guide"}, "operate"),
        ("POST", "/admin/v1/models/pin", {"model": "guide"}, "operate"),
        ("POST", "/admin/v1/models", {"path": "/nowhere.gguf"}, "operate"),
        ("DELETE", "/admin/v1/models/guide", None, "admin"),
        ("GET", "/admin/v1/keys", None, "admin"),
        ("POST", "/admin/v1/keys", {"name": "more"}, "admin"),
        ("DELETE", "/admin/v1/keys/admin", None, "admin"),
    ],
)
def test_a_key_may_do_what_its_scope_says(
    http: httpx.Client, daemon: Daemon, method: str, path: str, body: Any, needed: Scope
) -> None:
    scopes: tuple[Scope, ...] = ("use", "operate", "admin")
    keys = {scope: daemon.parts.keys.create(scope, scope).key for scope in scopes}
    for scope in scopes:
        response = http.request(method, path, json=body, headers=bearer(keys[scope]))
        is_allowed = scopes.index(scope) >= scopes.index(needed)
        assert (response.status_code != 403) == is_allowed, (scope, response.text)


def test_a_revoked_key_is_refused_at_once(http: httpx.Client, daemon: Daemon) -> None:
    key = daemon.parts.keys.create("ci", "use").key
    daemon.parts.keys.create("other", "use")
    assert http.get("/v1/models", headers=bearer(key)).status_code == 200
    assert http.delete("/admin/v1/keys/ci", headers=bearer(LOCAL_SECRET)).status_code == 204
    assert http.get("/v1/models", headers=bearer(key)).status_code == 401
    assert http.delete("/admin/v1/keys/ci", headers=bearer(LOCAL_SECRET)).status_code == 404


def test_a_caller_is_its_key_refined_by_header_and_user(http: httpx.Client, daemon: Daemon) -> None:
    key = daemon.parts.keys.create("web", "use").key
    path = daemon.home / "keys"
    path.write_text(path.read_text().rstrip() + " weight=2.5 header=X-Person\n")
    for headers, body, expected in (
        ({}, HI, ("web", "key")),
        ({}, HI | {"user": "eva"}, ("web/eva", "user")),
        ({"x-person": "ada"}, HI, ("web/ada", "header")),
    ):
        http.post("/v1/chat/completions", json=body, headers=bearer(key) | headers)
        caller = daemon.scheduler.requests[-1][1]
        assert (caller.id, caller.source) == expected
        assert (caller.weight, caller.scope) == (2.5, "use")


@pytest.mark.parametrize("client_host", ["192.168.1.7", "::ffff:10.0.0.1", None, "unknown"])
def test_without_a_key_nobody_else_is_let_in(tmp_path: Path, client_host: str | None) -> None:
    authenticator = Authenticator(KeyStore(tmp_path / "keys"), LOCAL_SECRET)
    assert authenticator.caller({}, "127.0.0.1").scope == "admin"
    with pytest.raises(Unauthorized):
        authenticator.caller({}, client_host)


@pytest.mark.parametrize("host", ["127.0.0.1:8484", "[::1]:8484", "localhost", "LOCALHOST:1", "box", "box.lan"])
@pytest.mark.parametrize("path", ["/health", "/v1/models"])
def test_our_own_names_are_served(http: httpx.Client, host: str, path: str) -> None:
    assert http.get(path, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["192.168.1.7", "box.local", "box.example:80", "localhost.", "host.docker.internal:8484"]
)
def test_addresses_and_allowed_names_are_served(http: httpx.Client, host: str) -> None:
    assert http.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "box.example.org"]
)
def test_a_foreign_host_name_is_refused_everywhere(http: httpx.Client, host: str) -> None:
    for path in ("/health", "/v1/models", "/admin/v1/status"):
        assert http.get(path, headers={"host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://127.0.0.1:1"])
def test_a_page_of_another_origin_drives_nothing(http: httpx.Client, daemon: Daemon, origin: str) -> None:
    headers = {"origin": origin}
    assert http.post("/v1/chat/completions", json=HI, headers=headers).status_code == 403
    assert http.get("/admin/v1/status", headers=headers).status_code == 403
    assert http.get("/v1/models", headers=headers).status_code == 200
    assert not daemon.scheduler.requests


def test_the_same_and_allowed_origins_pass(http: httpx.Client, daemon: Daemon) -> None:
    for origin in (daemon.url, "https://ui.example"):
        assert http.post("/v1/chat/completions", json=HI, headers={"origin": origin}).status_code == 200


@pytest.mark.parametrize("origin", ["app://obsidian.md", "tauri://localhost", "vscode-webview://1a2b", "file://"])
def test_programs_with_a_web_view_may_ask_and_read_but_not_administer(http: httpx.Client, origin: str) -> None:
    headers = {"origin": origin}
    answer = http.post("/v1/chat/completions", json=HI, headers=headers)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)
    assert http.post("/admin/v1/models/unload", json={"model": "guide"}, headers=headers).status_code == 403
    assert http.get("/admin/v1/status", headers=headers).status_code == 403

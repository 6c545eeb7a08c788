"""The registry of these tests, pulled from in the steps that Ollama takes.

Source: Ollama, `server/images.go`, `makeRequestWithRetry` and `PullModel`; `server/download.go`, `Prepare` and `run`.
"""

import hashlib
import http.client
import json
import os
import re
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest

from tests.hubs.ollama import OllamaRegistry

WEIGHTS = os.urandom(250_000)
Response = tuple[int, dict[str, str], bytes]


def ask(url: str, method: str = "GET", **headers: str) -> Response:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", headers=headers)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def pull(registry: OllamaRegistry, name: str, tag: str) -> dict[str, bytes]:
    """Fetch a model as Ollama does: manifest, token, size by HEAD, direct address, then ranges without the token."""
    headers = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    url = f"{registry.url}/v2/library/{name}/manifests/{tag}"
    status, answered, body = ask(url, **headers)
    if status == 401:
        challenge = dict(re.findall(r'(\w+)="([^"]*)"', answered["www-authenticate"]))
        query = urlencode({"service": challenge["service"], "scope": challenge["scope"]})
        token = json.loads(ask(f"{challenge['realm']}?{query}")[2])["token"]
        headers["Authorization"] = f"Bearer {token}"
        status, _, body = ask(url, **headers)
    assert status == 200, body
    found = {}
    manifest = json.loads(body)
    for layer in [*manifest["layers"], manifest["config"]]:
        status, answered, _ = ask(f"{registry.url}/v2/library/{name}/blobs/{layer['digest']}", **headers)
        assert status == 307
        direct = answered["location"]
        size = int(ask(direct, "HEAD")[1]["content-length"])
        parts = [ask(direct, Range=f"bytes={at}-{min(at + 100_000, size) - 1}") for at in range(0, size, 100_000)]
        assert {part[0] for part in parts} == {206}
        found[layer["mediaType"].rpartition(".")[2]] = b"".join(part[2] for part in parts)
        assert f"sha256:{hashlib.sha256(b''.join(part[2] for part in parts)).hexdigest()}" == layer["digest"]
    return found


@pytest.fixture(params=[False, True], ids=["open", "with tokens"])
def registry(request: pytest.FixtureRequest) -> Iterator[OllamaRegistry]:
    with OllamaRegistry(needs_token=request.param) as registry:
        yield registry


def test_a_model_is_pulled_in_parts(registry: OllamaRegistry) -> None:
    registry.model("tiny", "1b").layer("model", WEIGHTS).layer("params", {"stop": ["x"]})
    pulled = pull(registry, "tiny", "1b")
    assert pulled["model"] == WEIGHTS
    assert json.loads(pulled["params"]) == {"stop": ["x"]}


def test_a_tag_moves_and_a_digest_stays(registry: OllamaRegistry) -> None:
    first = registry.model("tiny").layer("model", WEIGHTS)
    digest = f"sha256:{hashlib.sha256(first.manifest).hexdigest()}"
    registry.model("tiny").layer("model", b"another")
    assert pull(registry, "tiny", "latest")["model"] == b"another"
    assert pull(registry, "tiny", digest)["model"] == WEIGHTS


def test_what_is_not_there_is_refused_in_the_registrys_form(registry: OllamaRegistry) -> None:
    registry.needs_token = False
    status, _, body = ask(f"{registry.url}/v2/library/none/manifests/latest")
    assert (status, json.loads(body)["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")

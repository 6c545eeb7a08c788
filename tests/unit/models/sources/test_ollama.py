"""Models of an Ollama registry, resolved from one on this machine."""

import hashlib
import os
from collections.abc import Iterator

import httpx
import pytest

from models.manifest import ModelPreset, PresetMessage
from models.sources.base import SourceError, SourceUnavailable
from models.sources.ollama import OllamaSource
from models.sources.ollama_layers import licence_of
from tests.hubs.ollama import OllamaRegistry, RegistryModel

WEIGHTS = os.urandom(50_000)


@pytest.fixture(params=[False, True], ids=["open", "with tokens"])
def registry(request: pytest.FixtureRequest) -> Iterator[OllamaRegistry]:
    with OllamaRegistry(needs_token=request.param) as registry:
        yield registry


def full(registry: OllamaRegistry, name: str = "tiny", tag: str = "1b") -> RegistryModel:
    model = registry.model(name, tag).layer("model", WEIGHTS)
    model.layer("template", "{{ .Prompt }}").layer("system", "Be kind.\n")
    model.layer(
        "params",
        {"temperature": 0.6, "stop": ["<end>", ""], "num_ctx": 8192, "top_k": "many", "min_p": 7, "num_gpu": 9},
    )
    model.layer("messages", [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}])
    return model.layer("license", "Apache License\nVersion 2.0").layer("license", "And a policy")


def test_a_model_is_resolved_to_its_weights_and_what_it_begins_with(registry: OllamaRegistry) -> None:
    full(registry)
    source = OllamaSource(registry.url)
    model = source.resolve("ollama:tiny:1b")
    (file,) = model.files
    assert (file.name, file.size_bytes, file.sha256) == (
        "tiny-1b.gguf",
        len(WEIGHTS),
        hashlib.sha256(WEIGHTS).hexdigest(),
    )
    assert (model.kind, model.stem, model.publisher, model.licence) == ("ollama", "tiny-1b", None, "apache-2.0")
    assert model.template == "{{ .Prompt }}"
    assert model.preset == ModelPreset(
        system="Be kind.",
        messages=(PresetMessage(role="user", content="Hi"), PresetMessage(role="assistant", content="Hello")),
        parameters={"temperature": 0.6, "stop": ["<end>"]},
        licence="Apache License\nVersion 2.0\n\nAnd a policy",
    )
    response = httpx.get(file.url, headers=source.headers(file.url), follow_redirects=True)
    assert response.content == WEIGHTS


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("\n      Apache License\n   Version 2.0, January 2004\n http://www.apache.org", "apache-2.0"),
        ("MIT License\n\nCopyright (c) somebody", "mit"),
        ("LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\nLlama 3.2 Version Release Date", "llama3.2"),
        ("   \n", None),
    ],
)
def test_a_licence_is_known_by_its_title(text: str, licence: str | None) -> None:
    assert licence_of(text) == licence


def test_a_token_of_the_registry_goes_nowhere_else(registry: OllamaRegistry) -> None:
    full(registry)
    source = OllamaSource(registry.url)
    source.resolve("ollama:tiny:1b")
    assert {seen.request.token for seen in registry.storage.requests} == {None}
    assert source.headers(registry.storage.url) == {}
    assert bool(source.headers(registry.url)) == registry.needs_token


def test_a_model_with_nothing_but_weights_begins_with_nothing(registry: OllamaRegistry) -> None:
    registry.model("acme/bare").layer("model", WEIGHTS)
    model = OllamaSource(registry.url).resolve("ollama:acme/bare")
    assert (model.preset, model.template, model.licence, model.publisher) == (None, None, None, "acme")
    assert model.stem == "bare"


def test_the_full_reference_means_the_version_of_then(registry: OllamaRegistry) -> None:
    registry.model("tiny").layer("model", WEIGHTS)
    source = OllamaSource(registry.url)
    before = source.resolve("ollama:tiny")
    assert before.reference == f"ollama:tiny:latest@{before.revision}"
    registry.model("tiny").layer("model", b"another")
    assert source.resolve("ollama:tiny").revision != before.revision
    assert source.resolve(before.reference).files == before.files


def test_a_version_that_the_registry_has_forgotten_is_said_to_be(registry: OllamaRegistry) -> None:
    with OllamaRegistry(keeps_former=False) as forgetful:
        forgetful.model("tiny").layer("model", WEIGHTS)
        reference = OllamaSource(forgetful.url).resolve("ollama:tiny").reference
        forgetful.model("tiny").layer("model", b"another")
        with pytest.raises(SourceError, match="another version of tiny:latest by now"):
            OllamaSource(forgetful.url).resolve(reference)


def test_a_registry_is_named_in_the_reference(registry: OllamaRegistry) -> None:
    registry.model("acme/tiny").layer("model", WEIGHTS)
    model = OllamaSource("http://127.0.0.1:9").resolve(f"ollama:{registry.url}/acme/tiny")
    assert model.files[0].url.startswith(registry.url)
    assert OllamaSource("http://127.0.0.1:9").resolve(model.reference).files == model.files


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        (("model", "adapter"), "LoRA adapter on top"),
        (("tensor", "tensor"), "in single tensors"),
        (("system",), "0 files of weights"),
        (("model", "model"), "2 files of weights"),
    ],
)
def test_what_would_be_no_whole_model_is_refused(registry: OllamaRegistry, roles: tuple[str, ...], says: str) -> None:
    model = registry.model("odd")
    for number, role in enumerate(roles):
        model.layer(role, f"{role} {number}")
    with pytest.raises(SourceError, match=says):
        OllamaSource(registry.url).resolve("ollama:odd")


def test_a_projector_comes_along(registry: OllamaRegistry) -> None:
    registry.model("sees").layer("model", WEIGHTS).layer("projector", b"pictures")
    model = OllamaSource(registry.url).resolve("ollama:sees")
    assert [file.name for file in model.files] == ["sees-latest.gguf", "mmproj-sees-latest.gguf"]
    assert model.files[1].sha256 == hashlib.sha256(b"pictures").hexdigest()


def test_a_layer_that_is_not_what_its_digest_says_is_refused(registry: OllamaRegistry) -> None:
    full(registry)
    registry.faults.corrupt("blobs/")
    with pytest.raises(SourceError, match="something else than the layer"):
        OllamaSource(registry.url).resolve("ollama:tiny:1b")


def test_what_is_not_there_and_a_busy_registry_are_told_apart(registry: OllamaRegistry) -> None:
    with pytest.raises(SourceError, match="no model library/none with the tag 'latest'"):
        OllamaSource(registry.url).resolve("ollama:none")
    registry.faults.refuse(503, retry_after_s=8)
    with pytest.raises(SourceUnavailable) as caught:
        OllamaSource(registry.url).resolve("ollama:none")
    assert caught.value.retry_after_s == 8


def test_nobody_else_is_asked_for_a_token() -> None:
    with OllamaRegistry(needs_token=True) as registry, OllamaRegistry() as stranger:
        registry.model("tiny").layer("model", WEIGHTS)
        registry.realm = f"{stranger.url}/token"
        with pytest.raises(SourceError, match="in a way that is not offered"):
            OllamaSource(registry.url).resolve("ollama:tiny")
        assert not stranger.requests


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "x", "size": 1}]}',
        b'{"layers": [{"mediaType": "m", "digest": "sha256:1", "size": -5}]}',
    ],
)
def test_a_manifest_that_is_none_is_a_clear_error(manifest: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with OllamaRegistry() as registry:
        monkeypatch.setattr(RegistryModel, "manifest", manifest)
        registry.model("tiny")
        with pytest.raises(SourceError):
            OllamaSource(registry.url).resolve("ollama:tiny")

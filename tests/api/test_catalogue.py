"""`/admin/v1/catalogue` and `/admin/v1/fit` with our own client."""

from pathlib import Path

import httpx
import pytest

from appliance.client import Client, ClientError
from appliance.core.admin import Done
from models.embedded import EMBEDDED_PATH
from tests.api.conftest import Daemon
from tests.catalogues import OURS, signature_of


@pytest.fixture
def client(daemon: Daemon) -> Client:
    return Client(daemon.url)


def test_the_best_models_for_the_machine_come_first(client: Client) -> None:
    answer = client.catalogue(purpose="chat", language="en")
    ranks = [model.rank for model in answer.models if model.rank is not None]
    assert ranks == sorted(ranks, reverse=True)
    assert answer.models[0].num_parameters < 5e9
    assert answer.models[0].reasons
    assert answer.budget_bytes == 6 * 2**30
    assert any("predicted" in note for note in answer.notes)


def test_words_choose_among_the_models(client: Client) -> None:
    names = [model.name for model in client.catalogue(query="qwen3 rerank").models]
    assert names == ["qwen3-reranker-0.6b"]


def test_a_purpose_that_there_is_not_is_a_wrong_request(http: httpx.Client) -> None:
    assert http.get("/admin/v1/catalogue?purpose=cooking").status_code == 400


def test_measuring_the_memory_needs_more_than_use(client: Client, daemon: Daemon) -> None:
    admin = client.create_key("boss", "admin").key
    key = Client(daemon.url, admin).create_key("reader", "use").key
    with pytest.raises(ClientError) as caught:
        Client(daemon.url, key).catalogue(with_bandwidth=True)
    assert caught.value.status == 403
    with pytest.raises(ClientError) as caught:
        Client(daemon.url, key).import_catalogue("ours.toml", OURS, signature_of(OURS))
    assert caught.value.status == 403
    assert Client(daemon.url, key).catalogue(query="qwen3-8b").models
    assert Client(daemon.url, admin).catalogue(query="qwen3-8b", with_bandwidth=True).models


def test_a_model_of_the_catalogue_is_judged_before_it_is_here(client: Client) -> None:
    fit = client.fit("qwen3-0.6b:Q8_0")
    assert not fit.is_installed
    assert (fit.reference, fit.template) == ("hf:unsloth/Qwen3-0.6B-GGUF:Q8_0", "hermes")
    assert [at.context_tokens for at in fit.contexts] == [2048, 8192, 32_768, 40_960]
    assert fit.speed is not None


def test_an_installed_model_is_judged_by_its_file(client: Client) -> None:
    fit = client.fit("guide")
    assert fit.is_installed
    assert (fit.licence, fit.capabilities) == ("apache-2.0", ("chat", "tools"))


def test_a_name_that_nobody_knows_is_not_found(client: Client) -> None:
    with pytest.raises(ClientError, match="the catalogue does not have it either") as caught:
        client.fit("nothing")
    assert caught.value.status == 404
    with pytest.raises(ClientError, match="it is as") as caught:
        client.fit("qwen3-0.6b:Q9")
    assert caught.value.status == 400


def test_a_signed_catalogue_is_taken_in_and_its_models_are_found(client: Client) -> None:
    taken = client.import_catalogue("ours.toml", OURS, signature_of(OURS))
    assert (taken.models, taken.comment) == (("heron-support",), "of a test")
    found = client.catalogue(query="heron").models
    assert [(model.name, model.origin) for model in found] == [("heron-support", "ours.toml")]
    assert client.fit("heron-support").weights_bytes == 640_000_000


@pytest.mark.parametrize(
    ("text", "signer", "words"),
    [(OURS, 1, "none of them it"), (OURS + " ", 0, "not what was signed"), ("x = 1", 0, "not what was signed")],
)
def test_a_catalogue_that_is_not_signed_so_is_refused(
    client: Client, daemon: Daemon, text: str, signer: int, words: str
) -> None:
    with pytest.raises(ClientError, match=words) as caught:
        client.import_catalogue("ours.toml", text, signature_of(OURS, signer))
    assert caught.value.status == 400
    assert not (daemon.home / "catalogue").exists()


def test_a_model_with_somebodys_name_is_added_with_a_warning(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(EMBEDDED_PATH.read_bytes())
    added = list(client.add_model(str(path), name="chatgpt-local"))[-1]
    assert isinstance(added, Done)
    assert "belongs to OpenAI" in str(added.model.name_note)
    assert client.fit("chatgpt-local").name_note == added.model.name_note
    assert client.model("guide").name_note is None

"""Embeddings, rerank and score over HTTP: before a fake scheduler, and through a real daemon and its workers."""

import struct
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from openai import BadRequestError, OpenAI

from appliance.core.events import Encoded, RequestEvent
from appliance.core.request import EncodeRequest
from appliance.errors import ApplianceError, BackendError
from models.store.store import ModelStore
from tests.api.conftest import Daemon
from tests.bert import hidden_states, logits, random_bert, write_bert_gguf
from tests.bert_onnx import write_bert_onnx
from tests.conftest import RealDaemon
from tests.fakes import accepted, finished


def two_numbers(request: EncodeRequest) -> list[RequestEvent | ApplianceError]:
    """Every input becomes its place and 0.5."""
    data = b"".join(struct.pack("<2f", index, 0.5) for index in range(len(request.inputs)))
    rows = Encoded(id=request.id, kind="embedding", indices=tuple(range(len(request.inputs))), data=data)
    return [accepted(request), rows, finished(request)]


@pytest.fixture
def bert(daemon: Daemon, tmp_path: Path) -> str:
    """The name of an installed model that embeds."""
    path = tmp_path / "bert.gguf"
    write_bert_gguf(path, random_bert())
    list(ModelStore(daemon.home).add(path, None, False, 0.0))
    daemon.do(daemon.parts.installed.refresh)
    daemon.scheduler.script = two_numbers
    return "bert"


def test_the_client_library_reads_both_forms(openai: OpenAI, bert: str) -> None:
    for form in ({}, {"encoding_format": "float"}):
        answer = openai.embeddings.create(model=bert, input=["a", "b"], **form)
        assert [each.embedding for each in answer.data] == [[0.0, 0.5], [1.0, 0.5]]
        assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (7, 7)


def test_what_a_caller_may_say_reaches_the_engine(http: httpx.Client, daemon: Daemon, bert: str) -> None:
    body = {"model": bert, "input": "a", "dimensions": 3, "input_type": "query", "user": "ann", "priority": "batch"}
    assert http.post("/v1/embeddings", json=body).status_code == 200
    request, caller = daemon.scheduler.requests[-1]
    assert isinstance(request, EncodeRequest)
    assert (request.dimensions, request.role, request.priority) == (3, "query", "batch")
    assert caller.id.endswith("/ann")


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/v1/embeddings", {"model": "guide", "input": "a"}, "/v1/chat/completions"),
        ("/v1/rerank", {"model": "guide", "query": "q", "documents": ["a"]}, "/v1/chat/completions"),
        ("/v1/chat/completions", {"model": "bert", "messages": [{"role": "user", "content": "a"}]}, "/v1/embeddings"),
        ("/v1/completions", {"model": "bert", "prompt": "a"}, "/v1/embeddings"),
    ],
)
def test_a_model_of_another_kind_is_refused_with_its_endpoint_before_it_is_loaded(
    http: httpx.Client, daemon: Daemon, bert: str, path: str, body: dict[str, object], named: str
) -> None:
    answer = http.post(path, json=body)
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]
    assert daemon.scheduler.requests == []


def test_an_error_of_the_engine_keeps_its_status(http: httpx.Client, daemon: Daemon, bert: str) -> None:
    daemon.scheduler.script = lambda request: [BackendError("broken")]
    answer = http.post("/v1/embeddings", json={"model": bert, "input": "a"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (500, "broken")


def test_a_caller_who_goes_away_ends_the_work(http: httpx.Client, daemon: Daemon, bert: str) -> None:
    daemon.scheduler.script = lambda request: [accepted(request)]
    with pytest.raises(httpx.ReadTimeout):
        http.post("/v1/embeddings", json={"model": bert, "input": "a"}, timeout=0.2)
    assert daemon.next_cancelled() == daemon.next_submitted()


def test_the_list_of_models_says_what_each_is_for(openai: OpenAI, bert: str) -> None:
    assert openai.models.retrieve(bert).capabilities == ["embeddings"]


@pytest.fixture
def models(real_daemon: RealDaemon, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a daemon with a GGUF and an ONNX model that embed, and a reranker of each."""
    write_bert_gguf(tmp_path / "gguf-embed.gguf", random_bert())
    write_bert_gguf(tmp_path / "gguf-rank.gguf", random_bert(num_labels=1), pooling=4)
    write_bert_onnx(tmp_path / "onnx-embed", random_bert())
    write_bert_onnx(tmp_path / "onnx-rank", random_bert(num_labels=1), pooling=None)
    names = ("gguf-embed", "gguf-rank", "onnx-embed", "onnx-rank")
    for name in names:
        path = tmp_path / (f"{name}.gguf" if name.startswith("gguf") else name)
        list(real_daemon.client.add_model(str(path)))
    try:
        with httpx.Client(base_url=real_daemon.url, trust_env=False, timeout=60) as client:
            yield client
    finally:
        for name in names:
            real_daemon.client.unload(name)
            real_daemon.client.remove(name)


def test_both_engines_embed_and_rank_by_the_same_door(real_daemon: RealDaemon, models: httpx.Client) -> None:
    tokens = np.array([2, 5, 7, 9, 3], np.int32)
    expected = hidden_states(random_bert(), tokens).mean(0)
    expected /= np.linalg.norm(expected)
    with (
        httpx.Client(trust_env=False) as transport,
        OpenAI(base_url=f"{real_daemon.url}/v1", api_key="none", http_client=transport) as client,
    ):
        for name in ("gguf-embed", "onnx-embed"):
            answer = client.embeddings.create(model=name, input=["the cat sat", "a dog"])
            np.testing.assert_allclose(answer.data[0].embedding, expected, atol=1e-3)
            assert answer.usage.total_tokens == 9
            by_tokens = client.embeddings.create(model=name, input=[tokens.tolist()])
            assert by_tokens.data[0].embedding == answer.data[0].embedding
            short = client.embeddings.create(model=name, input="the cat sat", dimensions=8)
            np.testing.assert_allclose(np.linalg.norm(short.data[0].embedding), 1, rtol=1e-5)
            with pytest.raises(BadRequestError, match=r"102 tokens.*at most 4"):
                client.embeddings.create(model=name, input="cat " * 100)
    for name in ("gguf-rank", "onnx-rank"):
        body = {"model": name, "query": "cat", "documents": ["dog", "sun", "dog"]}
        results = models.post("/v1/rerank", json=body).json()["results"]
        by_place = {each["index"]: each["relevance_score"] for each in results}
        assert by_place[0] == by_place[2]
        assert [each["relevance_score"] for each in results] == sorted(by_place.values(), reverse=True)
        score = models.post("/v1/score", json={"model": name, "text_1": "cat", "text_2": "dog"}).json()["data"][0]
        assert score["score"] == by_place[0]
    types = np.array([0, 0, 0, 1, 1], np.int32)
    logit = float(logits(random_bert(num_labels=1), np.array([2, 7, 3, 8, 3], np.int32), types)[0])
    assert abs(by_place[0] - 1 / (1 + np.exp(-logit))) < 1e-4

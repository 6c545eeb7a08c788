"""Adapters through a real daemon, as the openai library asks: applied per request, loaded and unloaded while serving.

The model and its adapters are tiny and random; what an adapter does is known from files into which it was merged.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.conftest import RealDaemon, running_daemon
from tests.random_loras import RandomLora, random_lora, write_lora, write_merged, write_peft
from tests.shapes import write_shape

PROMPT = "the rain in the morning "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapters")
    write_shape(folder / "tiny.gguf", quantization="F32")
    return folder


@pytest.fixture(scope="module")
def loras(folder: Path) -> dict[str, RandomLora]:
    return {name: random_lora(folder / "tiny.gguf", seed) for seed, name in enumerate(("tone", "law"))}


@pytest.fixture(scope="module")
def daemon(folder: Path, loras: dict[str, RandomLora]) -> Iterator[RealDaemon]:
    both = [(lora, 1.0) for lora in loras.values()]
    write_merged(folder / "with-tone.gguf", folder / "tiny.gguf", both[:1])
    write_merged(folder / "with-both.gguf", folder / "tiny.gguf", both)
    with running_daemon(folder / "home", APPLIANCE_ENGINE__KERNELS="off") as daemon:
        for name in ("tiny", "with-tone", "with-both"):
            list(daemon.client.add_model(str(folder / f"{name}.gguf")))
        for name, lora in loras.items():
            daemon.client.add_adapter(str(write_lora(folder / f"{name}.gguf", lora)), base="tiny")
        yield daemon


@pytest.fixture(scope="module")
def http(daemon: RealDaemon) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=daemon.url, trust_env=False, timeout=60) as http:
        yield http


@pytest.fixture(scope="module")
def openai(daemon: RealDaemon) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{daemon.url}/v1", api_key="any", max_retries=0) as client:
        yield client


def ask(openai: OpenAI, model: str, prompt: str = PROMPT, max_tokens: int = 24, cache: str = "off") -> str:
    answer = openai.completions.create(
        model=model, prompt=prompt, max_tokens=max_tokens, temperature=0, extra_body={"cache": {"mode": cache}}
    )
    assert answer.model == model
    return answer.choices[0].text


def test_an_adapter_writes_what_the_model_writes_into_which_it_was_merged(openai: OpenAI) -> None:
    texts = {name: ask(openai, name) for name in ("tiny", "tiny+tone", "tiny+law", "tiny+law,tone")}
    assert len({*texts.values()}) == 4
    assert texts["tiny+tone"] == ask(openai, "with-tone")
    assert texts["tiny+law,tone"] == ask(openai, "with-both")


def test_what_peft_wrote_says_the_same(
    daemon: RealDaemon, openai: OpenAI, loras: dict[str, RandomLora], tmp_path: Path
) -> None:
    folder = write_peft(tmp_path / "peft", loras["tone"], head_width=64)
    daemon.client.add_adapter(str(folder), name="as-peft", base="tiny")
    assert ask(openai, "tiny+as-peft") == ask(openai, "tiny+tone")


def test_many_at_once_write_what_each_writes_alone(openai: OpenAI) -> None:
    asked = [(name, f"{PROMPT}{number} ") for name in ("tiny", "tiny+tone", "tiny+law") for number in range(3)]
    alone = [ask(openai, *each) for each in asked]
    with ThreadPoolExecutor(len(asked)) as pool:
        assert list(pool.map(lambda each: ask(openai, *each), asked)) == alone


def test_one_worker_serves_the_model_and_all_its_adapters(daemon: RealDaemon, openai: OpenAI) -> None:
    ask(openai, "tiny+tone")
    loaded = [model.name for model in daemon.client.status().models if model.name.startswith("tiny")]
    assert loaded == ["tiny"]
    assert "tiny+tone" in {request.model for request in daemon.client.requests().requests}


def test_metrics_are_by_the_whole_name(openai: OpenAI, http: httpx.Client) -> None:
    ask(openai, "tiny+tone")
    text = http.get("/metrics").text
    assert 'appliance_generation_tokens_total{model="tiny+tone"}' in text


def test_names_with_an_adapter_are_in_every_list_and_can_be_looked_up(openai: OpenAI, http: httpx.Client) -> None:
    assert {"tiny", "tiny+tone", "tiny+law", "with-tone+law"} <= {model.id for model in openai.models.list()}
    assert openai.models.retrieve("tiny+tone").id == "tiny+tone"
    tags = {model["name"] for model in http.get("/api/tags").json()["models"]}
    assert "tiny:latest+tone" in tags
    page = http.get("/v1/models", headers={"anthropic-version": "2023-06-01"}, params={"limit": 1000}).json()
    assert "tiny+law" in {model["id"] for model in page["data"]}
    assert http.post("/api/show", json={"model": "tiny:latest+tone"}).status_code == 200


def test_other_dialects_take_the_same_names(openai: OpenAI, http: httpx.Client) -> None:
    expected = ask(openai, "tiny+tone")
    body = {"model": "tiny:latest+tone", "prompt": PROMPT, "raw": True, "stream": False}
    told = http.post("/api/generate", json=body | {"options": {"temperature": 0, "num_predict": 24}}).json()
    assert (told["model"], told["response"]) == ("tiny:latest+tone", expected)
    assert http.post("/api/generate", json={"model": "tiny+tone"}).json()["done_reason"] == "load"
    counted = http.post("/tokenize", json={"model": "tiny+tone", "content": PROMPT}).json()
    assert counted == http.post("/tokenize", json={"model": "tiny", "content": PROMPT}).json()


def test_the_order_of_adapters_means_nothing(openai: OpenAI) -> None:
    answer = openai.completions.create(model="tiny+tone,law", prompt=PROMPT, max_tokens=2)
    assert answer.model == "tiny+law,tone"


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("tiny+ton", NotFoundError, "adapter 'ton' not found; did you mean 'tone'"),
        ("tony+tone", NotFoundError, "model 'tony' not found; did you mean 'tiny'"),
        ("tiny+tone,tone", BadRequestError, "names an adapter twice"),
        ("guide+tone", BadRequestError, "adapter 'tone' does not fit model 'guide'"),
        ("tiny+tone@tvm", BadRequestError, "takes no adapters"),
    ],
)
def test_a_name_that_cannot_be_is_refused(openai: OpenAI, name: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        ask(openai, name)
    assert words in str(caught.value)


def test_what_is_done_to_a_model_is_not_done_to_a_name_with_adapters(http: httpx.Client) -> None:
    for refused in (
        http.delete("/admin/v1/models/tiny+tone"),
        http.post("/admin/v1/models/unload", json={"model": "tiny+tone"}),
        http.post("/v1/embeddings", json={"model": "tiny+tone", "input": "a"}),
    ):
        assert (refused.status_code, "this is about the model itself: 'tiny'" in refused.text) == (400, True)


def test_an_adapter_that_changed_under_its_name_says_something_else_whatever_was_kept(
    daemon: RealDaemon, openai: OpenAI, folder: Path
) -> None:
    said = []
    for seed in (7, 8):
        path = write_lora(folder / "verse.gguf", random_lora(folder / "tiny.gguf", seed))
        daemon.client.add_adapter(str(path), name="verse")
        said += [ask(openai, "tiny+verse", cache="auto"), ask(openai, "tiny+verse", cache="auto")]
        daemon.client.remove_adapter("verse")
    assert said[0] == said[1] != said[2] == said[3]


def test_an_adapter_that_is_removed_while_it_answers_comes_to_its_end(
    daemon: RealDaemon, openai: OpenAI, folder: Path
) -> None:
    path = write_lora(folder / "brief.gguf", random_lora(folder / "tiny.gguf", 9))
    daemon.client.add_adapter(str(path), copy=True)
    path.unlink()
    whole = ask(openai, "tiny+brief", max_tokens=200)
    with openai.completions.create(
        model="tiny+brief",
        prompt=f"{PROMPT}",
        max_tokens=200,
        temperature=0,
        stream=True,
        extra_body={"cache": {"mode": "off"}},
    ) as stream:
        texts = [next(iter(stream)).choices[0].text]
        daemon.client.remove_adapter("brief")
        texts += [chunk.choices[0].text for chunk in stream if chunk.choices]
    assert "".join(texts) == whole
    with pytest.raises(NotFoundError, match="brief"):
        ask(openai, "tiny+brief")
    assert ask(openai, "tiny")

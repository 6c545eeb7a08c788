"""A decoder in ONNX is a model like any other: taken in, asked, shared by callers, watched and given up."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import pytest
from openai import OpenAI

from appliance.core.admin import Done, InstalledModel
from tests.conftest import RealDaemon, running_daemon
from tests.onnx_shapes import write_decoder

GRID_TOKENS = 64


def add(daemon: RealDaemon, folder: Path, name: str, *, copy: bool = False) -> InstalledModel:
    *_, last = daemon.client.add_model(str(folder), name=name, copy=copy)
    assert isinstance(last, Done)
    return last.model


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_decoder(folder)
    with running_daemon(tmp_path_factory.mktemp("onnx") / "home") as daemon:
        add(daemon, folder, "tiny")
        yield daemon


@pytest.fixture
def api(box: RealDaemon) -> Iterator[OpenAI]:
    key = (box.home / "run" / "local.key").read_text()
    transport = httpx.Client(trust_env=False)
    with OpenAI(base_url=f"{box.url}/v1", api_key=key, max_retries=0, timeout=60, http_client=transport) as client:
        yield client


def ask(api: OpenAI, text: str, *, is_cached: bool = True, max_tokens: int = 24) -> tuple[str | None, int]:
    """Return the greedy answer and how many tokens of the prompt were not computed."""
    answer = api.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": text}],
        temperature=0,
        max_tokens=max_tokens,
        extra_body={"cache_prompt": is_cached},
    )
    assert answer.usage is not None and answer.usage.prompt_tokens_details is not None
    return answer.choices[0].message.content, answer.usage.prompt_tokens_details.cached_tokens or 0


def test_its_view_tells_format_weights_and_what_it_can(box: RealDaemon) -> None:
    model = box.client.model("tiny")
    assert (model.format, model.architecture, model.quantization) == ("onnx", "qwen2", "int4")
    assert "chat" in model.capabilities
    assert model.estimated_bytes is not None


def test_a_stream_says_what_the_whole_answer_says(api: OpenAI) -> None:
    messages = [{"role": "user", "content": "größer 你好 🙂"}]
    stream = api.chat.completions.create(model="tiny", messages=messages, temperature=0, max_tokens=24, stream=True)
    written = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert written
    assert written == ask(api, "größer 你好 🙂")[0]


def test_what_was_computed_of_a_prompt_is_used_again_on_the_grid(api: OpenAI) -> None:
    text = "one and the same beginning " * 8
    _, cached = ask(api, text + "first")
    assert cached == 0
    answer, cached = ask(api, text + "second")
    assert cached >= GRID_TOKENS and cached % GRID_TOKENS == 0
    assert answer == ask(api, text + "second", is_cached=False)[0]


def test_a_caller_gets_the_same_answer_alone_and_among_others(api: OpenAI) -> None:
    """Whatever the budget of a step cuts prompts into, also those whose last token lies alone behind the grid."""
    prompts = [
        [(7 * place + length) % 250 for place in range(length)] for length in (30, 64, 65, 66, 129, 150, 193, 257)
    ]

    def complete(prompt: list[int]) -> str:
        extra = {"cache_prompt": False, "ignore_eos": True}
        answer = api.completions.create(model="tiny", prompt=prompt, temperature=0, max_tokens=32, extra_body=extra)
        return answer.choices[0].text

    alone = [complete(prompt) for prompt in prompts]
    with ThreadPoolExecutor(len(prompts)) as callers:
        assert [list(callers.map(complete, prompts)) for _ in range(3)] == [alone] * 3


def test_a_prompt_past_the_context_is_refused(api: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="context"):
        ask(api, "x " * 5000)


def test_a_copy_is_served_without_its_source_and_leaves_nothing(box: RealDaemon, tmp_path: Path) -> None:
    graph = write_decoder(tmp_path / "download", layout="transformers.js", seed=7)
    model = add(box, tmp_path / "download", "mine", copy=True)
    for path in [path for path in graph.parent.parent.rglob("*") if path.is_file()]:
        path.unlink()
    *_, loaded = box.client.load("mine")
    assert isinstance(loaded, Done) and loaded.model.state == "ready"
    compiled = box.home / "compiled" / model.digest.replace(":", "-")
    assert compiled.is_dir()
    box.client.unload("mine")
    assert box.client.remove("mine").freed_bytes > model.size_bytes
    assert not compiled.exists()


def test_a_graph_that_cannot_serve_is_refused_with_what_it_lacks(box: RealDaemon, tmp_path: Path) -> None:
    graph = write_decoder(tmp_path / "broken")
    graph.write_bytes(graph.read_bytes().replace(b"GroupQueryAttention", b"GroupQueryBttention"))
    with pytest.raises(Exception, match="no GroupQueryAttention nodes"):
        add(box, graph.parent, "broken")


def test_a_changed_file_is_noticed(box: RealDaemon, tmp_path: Path) -> None:
    folder = write_decoder(tmp_path / "changing", seed=3).parent
    add(box, folder, "changing")
    with (folder / "tokenizer_config.json").open("a") as stream:
        stream.write(" ")
    assert "add it again" in box.client.model("changing").reasons[0]

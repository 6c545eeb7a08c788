"""Our own kernels over the admin API of a real daemon: compiled once, listed, given up without a trace."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import APIStatusError, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from appliance.client import Client, ClientError
from appliance.core.admin import Progress
from appliance.core.jobs import Job
from tests.conftest import RealDaemon, running_daemon
from tests.onnx_shapes import write_decoder
from tests.tiny_decoders import DECODERS
from tests.tiny_folders import write_tiny_folder


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    with running_daemon(tmp_path_factory.mktemp("kernels") / "home") as daemon:
        daemon.wait_until(lambda: daemon.client.status().is_ready)
        yield daemon


def end_of(box: RealDaemon, job: Job) -> Job:
    *_, ended = box.client.follow_job(job.id)
    return ended


def made(box: RealDaemon) -> list[Path]:
    return [path for path in (box.home / "compiled").rglob("*") if path.is_file()]


def answer(box: RealDaemon, model: str) -> str:
    client = OpenAI(base_url=f"{box.url}/v1", api_key="any")
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How do I add a model?"}]
    with client:
        given = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=20)
    return str(given.choices[0].message.content)


def test_work_that_is_given_up_leaves_nothing(box: RealDaemon) -> None:
    job = box.client.compile_model("guide")
    following = box.client.follow_job(job.id)
    next(each for each in following if each.progress.text)
    box.client.pause_job(job.id)

    assert box.client.cancel_job(job.id).state == "cancelled"
    assert made(box) == []
    assert not list((box.home / "run" / "jobs").iterdir())


def test_a_model_is_compiled_and_listed_with_its_speed_and_runs_there(box: RealDaemon) -> None:
    ended = end_of(box, box.client.compile_model("guide"))

    assert (ended.state, ended.error) == ("done", None)
    (compiled,) = box.client.kernels()
    assert compiled.is_current and compiled.speed is not None
    assert any(name.startswith("guide") for name in compiled.models)
    box.wait_until(lambda: not box.client.status().models)
    answers = {name: answer(box, name) for name in ("guide", "guide@tvm", "guide@llama_cpp")}
    assert len(set(answers.values())) == 1
    backends = {model.name: model.backend for model in box.client.status().models}
    assert backends == {"guide": "tvm", "guide@tvm": "tvm", "guide@llama_cpp": "llama_cpp"}
    again = end_of(box, box.client.compile_model("guide"))
    assert again.result is not None and again.result["note"] == "it is compiled already"


def test_what_nobody_uses_any_more_is_deleted_when_asked(box: RealDaemon) -> None:
    old = box.home / "compiled" / "sha256-x"
    (compiled,) = (path for path in (box.home / "compiled").iterdir() if path != old)
    stale = compiled / "avx2-0.1-abc"
    stale.mkdir()
    (stale / "weights.bin").write_bytes(bytes(100))

    assert [each.is_current for each in box.client.kernels()] == [True, False]
    cleaned = box.client.clean_kernels()

    assert (cleaned.num_removed, cleaned.freed_bytes) == (1, 100)
    assert [each.is_current for each in box.client.kernels()] == [True]


def test_what_cannot_be_compiled_is_refused_before_there_is_a_job(box: RealDaemon, tmp_path: Path) -> None:
    list(box.client.add_model(str(write_decoder(tmp_path / "graph").parent), name="graph"))

    with pytest.raises(ClientError, match=r"gguf and safetensors, and 'graph.*' is onnx"):
        box.client.compile_model("graph")
    with pytest.raises(ClientError, match="not found"):
        box.client.tune_kernels("nobody")


def test_a_folder_of_safetensors_is_compiled_as_it_is_added_and_answers(box: RealDaemon, tmp_path: Path) -> None:
    folder = write_tiny_folder(tmp_path / "tiny", DECODERS[0], dtype="BF16", num_parts=2).parent
    *progress, _ = box.client.add_model(str(folder), name="tiny")

    assert any(isinstance(each, Progress) and "compiling" in each.text for each in progress)
    assert box.client.model("tiny").format == "safetensors"
    assert answer(box, "tiny") == answer(box, "tiny@tvm") != ""
    with pytest.raises(APIStatusError, match="llama_cpp does not run; convert it"):
        answer(box, "tiny@llama_cpp")


def test_who_may_only_use_models_compiles_none(box: RealDaemon) -> None:
    key = box.client.create_key("user", "use").key

    for act in (lambda client: client.compile_model("guide"), Client.tune_kernels, Client.clean_kernels):
        with pytest.raises(ClientError, match="operate"):
            act(Client(box.url, key))

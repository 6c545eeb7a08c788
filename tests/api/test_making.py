"""New models out of others, by jobs of a real daemon: kept with their figures, or not at all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

import models.default
from appliance.client import ClientError
from appliance.core.jobs import Job, JobId, KeptModel
from appliance.core.quantized import Comparison, KeptModels
from models.manifest import ModelManifest
from models.store.store import ModelStore
from tests.conftest import RealDaemon, running_daemon
from tests.onnx_shapes import write_decoder


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    folder = tmp_path_factory.mktemp("models") / "floats"
    write_decoder(folder, weights="f32")
    with running_daemon(tmp_path_factory.mktemp("making") / "home") as daemon:
        list(daemon.client.add_model(str(folder), name="floats"))
        yield daemon


def submit(box: RealDaemon, kind: str = "quantize", **arguments: Any) -> JobId:
    """Order the work by its own route and return the job's id."""
    response = ask(box, kind, {"model": "floats"} | arguments)
    assert response.status_code == 202, response.text
    return JobId(response.json()["id"])


def ask(box: RealDaemon, kind: str, body: dict[str, object], key: str | None = None) -> httpx.Response:
    key = key or (box.home / "run" / "local.key").read_text()
    url, headers = f"{box.url}/admin/v1/models/{kind}", {"authorization": f"Bearer {key}"}
    return httpx.post(url, json=body, headers=headers, trust_env=False, timeout=30)


def end_of(box: RealDaemon, job_id: JobId) -> Job:
    *_, ended = box.client.follow_job(job_id)
    return ended


def traces(box: RealDaemon) -> set[str]:
    """Return all that the models and jobs of a home have on the disk."""
    return {
        str(path.relative_to(box.home))
        for name in ("models", "compiled", "run/jobs")
        for path in (box.home / name).rglob("*")
        if path.name != ".lock"
    }


def test_a_quantized_model_is_listed_with_its_figures_and_answers(box: RealDaemon) -> None:
    ended = end_of(box, submit(box, to=["int8"]))

    assert (ended.state, ended.error) == ("done", None)
    model = box.client.model("floats-int8")
    assert model.quality is not None and model.quality.loss_ratio < 0.05
    assert model.quality.method.startswith("int8 weights")
    assert ended.result is not None
    assert KeptModel(**ended.result).model == "floats-int8"
    assert model.quantization == "int8"
    key = (box.home / "run" / "local.key").read_text()
    body = {"model": "floats-int8", "prompt": "Say", "max_tokens": 4, "ignore_eos": True}
    headers = {"authorization": f"Bearer {key}"}
    answer = httpx.post(f"{box.url}/v1/completions", json=body, headers=headers, trust_env=False, timeout=60)
    assert answer.json()["usage"]["completion_tokens"] == 4
    assert not list((box.home / "run" / "jobs").iterdir())


def test_a_model_that_lost_too_much_fails_with_the_figures_and_leaves_nothing(box: RealDaemon) -> None:
    before = traces(box)

    ended = end_of(box, submit(box, to=["int4"], max_loss_ratio=0.0001, name="refused"))

    assert ended.state == "failed" and ended.error is not None
    assert ended.error.kind == "LossTooLarge"
    assert "% worse than the original, 0.0% are allowed" in ended.error.message
    assert "--accept-loss" in ended.error.message
    assert traces(box) == before
    with pytest.raises(ClientError, match="refused"):
        box.client.model("refused")


def test_work_that_is_given_up_in_the_middle_leaves_nothing(box: RealDaemon) -> None:
    before, job_id = traces(box), submit(box, to=["int4"], name="given-up")
    following = box.client.follow_job(job_id)
    next(job for job in following if job.progress.text)

    # Halted first, so that it cannot end before it is given up
    box.client.pause_job(job_id)
    assert box.client.cancel_job(job_id).state == "cancelled"

    assert [job.state for job in following][-1] == "cancelled"
    assert traces(box) == before


def test_work_without_room_is_refused_with_both_numbers(box: RealDaemon, tmp_path: Path) -> None:
    for path in write_decoder(tmp_path / "huge", weights="f32").parent.iterdir():
        if path.suffix == ".onnx":
            _claim_more_weights(path)

    ended = end_of(box, submit(box, model=str(tmp_path / "huge")))

    assert ended.error is not None and ended.error.kind == "DoesNotFit"
    assert "of memory" in ended.error.message and "are free" in ended.error.message
    assert "--force" in ended.error.message


def test_a_contradicting_order_is_refused_before_there_is_a_job(box: RealDaemon) -> None:
    num_jobs = len(box.client.jobs())

    response = ask(box, "quantize", {"model": "floats", "to": ["int8"], "method": "static"})

    assert response.status_code == 400
    assert "--calibration" in response.text
    assert len(box.client.jobs()) == num_jobs


def test_of_a_gguf_file_several_types_are_tried_and_measured(floats: RealDaemon) -> None:
    ended = end_of(floats, submit(floats, model="guide-f16", to=["Q8_0", "Q2_K"]))

    assert (ended.state, ended.error) == ("done", None)
    result = msgspec.convert(ended.result, KeptModels)
    assert result.models == ("guide-q8_0",)
    source, kept, refused = result.comparison.rows
    assert (source.type, kept.model, refused.is_within) == ("F16", "guide-q8_0", False)
    assert kept.decode_tokens_per_s is not None and refused.size_bytes is not None
    model = floats.client.model("guide-q8_0")
    assert model.quality == kept.quality
    assert answer_of(floats, "guide-q8_0") == answer_of(floats, "guide-f16") != ""


def test_a_comparison_keeps_nothing_but_its_table(floats: RealDaemon) -> None:
    before = traces(floats)

    job = floats.client.submit_job("evaluate", {"model": "guide-f16", "to": ["Q6_K"]})

    ended = end_of(floats, job.id)
    assert ended.error is None
    assert [row.type for row in msgspec.convert(ended.result, Comparison).rows] == ["F16", "Q6_K"]
    assert traces(floats) == before


def test_a_crash_of_the_library_hurts_nobody(floats: RealDaemon, tmp_path: Path) -> None:
    """A head that is whole before weights that are not: what the library makes of them is its child's affair."""
    path = tmp_path / "crash.gguf"
    path.write_bytes((floats.home / "guide.gguf").read_bytes()[:-1000])

    ended = end_of(floats, submit(floats, model=str(path), to=["Q8_0"]))

    assert ended.state == "failed" and ended.error is not None
    assert floats.client.is_healthy()


@pytest.fixture(scope="module")
def floats(box: RealDaemon) -> RealDaemon:
    """The box with the guide's weights in F16, converted by it."""
    folder = Path(models.default.__file__).with_name("guide")
    ended = end_of(box, submit(box, "convert", model=str(folder), to="gguf", name="guide-f16"))
    assert ended.error is None and ended.result == {"model": "guide-f16", "quality": None}
    (box.home / "guide.gguf").write_bytes(ModelStore(box.home).opened_path(manifest_of(box, "guide-f16")).read_bytes())
    return box


def manifest_of(box: RealDaemon, name: str) -> ModelManifest:
    manifest = ModelStore(box.home).get(name)
    assert manifest is not None
    return manifest


def answer_of(box: RealDaemon, model: str) -> str:
    key = (box.home / "run" / "local.key").read_text()
    question = {"role": "user", "content": "How do I list the models?"}
    body = {"model": model, "messages": [question], "max_tokens": 24, "temperature": 0}
    headers = {"authorization": f"Bearer {key}"}
    answer = httpx.post(f"{box.url}/v1/chat/completions", json=body, headers=headers, trust_env=False, timeout=60)
    return str(answer.json()["choices"][0]["message"]["content"])


def test_a_folder_that_cannot_be_converted_fails_saying_what_is_there_instead(box: RealDaemon, tmp_path: Path) -> None:
    folder = write_decoder(tmp_path / "made").parent

    ended = end_of(box, submit(box, "convert", model=str(folder)))

    assert ended.error is not None and "it is ONNX already" in ended.error.message


@pytest.mark.parametrize("kind", ["convert", "quantize"])
def test_making_needs_a_key_that_may_operate(box: RealDaemon, kind: str) -> None:
    key = box.client.create_key(f"user-{kind}", "use").key

    response = ask(box, kind, {"model": "/floats"}, key)

    assert response.status_code == 403
    assert "operate" in response.text


def test_an_adopted_model_that_is_removed_keeps_its_file(box: RealDaemon, tmp_path: Path) -> None:
    graph = write_decoder(tmp_path / "adopted", seed=5)
    list(box.client.add_model(str(graph.parent), name="adopted"))

    assert box.client.remove("adopted").kept_path == str(graph)
    assert graph.is_file()
    assert ModelStore(box.home).get("adopted") is None


def _claim_more_weights(graph: Path) -> None:
    """Let the graph name a matrix of 10^12 weights that is nowhere."""
    import onnx

    model = onnx.load(graph, load_external_data=False)
    model.graph.initializer.append(onnx.TensorProto(name="huge", data_type=onnx.TensorProto.FLOAT, dims=[10**6, 10**6]))
    graph.write_bytes(model.SerializeToString())

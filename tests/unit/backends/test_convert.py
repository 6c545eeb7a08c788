"""Conversion: what is refused before it starts, how exporters are run, and that nothing half-made is left."""

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.backends.onnx.conversion_environment import ensure_environment, find_environment
from appliance.backends.onnx.convert_job import convert
from appliance.backends.onnx.exporter import export_decoder
from appliance.backends.onnx.hugging_face import Convertible, examine
from appliance.backends.onnx.job_arguments import ConvertArguments
from appliance.backends.onnx.room import room_to_convert, room_to_quantize
from appliance.backends.room import Room, compare_room
from appliance.core.jobs import ChildResult, JobOrder, JobProgress
from appliance.errors import ApplianceError, DoesNotFit, InvalidRequest
from models.finding.quality_file import read_quality
from tests.fakes import FakeReport
from tests.onnx_shapes import write_decoder

EXPORTER = """#!/bin/sh
out=$4  # after -P, the program and the source
printf 'Reading layer 0\\n'
printf 'Saving a (f32):  50%%|##  | 1/2\\rSaving b (f32): 100%%|####| 2/2\\n' >&2
{then}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder as Hugging Face keeps models, with 1000 parameters."""
    folder = tmp_path / "hub" / "Tiny"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"architectures": ["Qwen2ForCausalLM"]}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    header = json.dumps({"w": {"dtype": "F32", "shape": [10, 100], "data_offsets": [0, 4000]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4000))
    return folder


def exporter(home: Path, then: str) -> Path:
    python = home / "conversion" / "own" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(EXPORTER.replace("{then}", then))
    python.chmod(0o755)
    return python


def test_parameters_are_counted_from_the_headers(folder: Path) -> None:
    assert examine(folder) == Convertible(folder, "Qwen2ForCausalLM", 1000)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("config.json", '{"architectures": ["RavenForCausalLM"]}', "RavenForCausalLM"),
        ("config.json", "{", "damaged"),
        ("config.json", None, r"config\.json"),
        ("tokenizer.json", None, r"tokenizer\.json"),
        ("model.safetensors", None, "safetensors"),
        ("model.safetensors", "short", "damaged"),
    ],
)
def test_a_folder_that_cannot_be_converted_is_refused(folder: Path, file: str, content: str | None, says: str) -> None:
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_text(content)
    with pytest.raises(InvalidRequest, match=says):
        examine(folder)


def test_too_little_room_is_named_with_both_numbers() -> None:
    needed = room_to_convert(7 * 10**9, "int4")
    with pytest.raises(DoesNotFit, match=r"55\.4 GiB of memory, 4\.0 GiB are free.*--force"):
        compare_room(needed, Room(4 * 2**30, 2**50), "converting")
    with pytest.raises(DoesNotFit, match=r"35\.9 GiB of disk space, 4\.0 GiB are free.*--force"):
        compare_room(needed, Room(2**50, 4 * 2**30), "converting")
    compare_room(needed, needed, "converting")


def test_the_librarys_own_tools_are_given_more_room() -> None:
    ours, theirs = (room_to_quantize(10**9, "int8", method) for method in ("weights", "dynamic"))
    assert theirs.memory_bytes > ours.memory_bytes
    assert theirs.disk_bytes == ours.disk_bytes + 4 * 10**9


def test_a_graph_that_holds_its_weights_is_in_memory_as_well() -> None:
    beside, inside = (room_to_quantize(10**6, "int8", "weights", graph_bytes) for graph_bytes in (0, 4 * 10**6))
    assert inside.memory_bytes == beside.memory_bytes + 4 * 10**6


def test_what_is_exported_is_quantized_measured_and_complete(folder: Path, tmp_path: Path) -> None:
    made = write_decoder(tmp_path / "exported", weights="f32").parent
    (folder / "tokenizer.json").write_bytes((made / "tokenizer.json").read_bytes())
    home = tmp_path / "home"
    exporter(home, f'cp -r "{made}" "$out"')
    report: Any = FakeReport(home)

    result = convert(ConvertArguments(model=str(folder), accept_loss=True, force=True), report)

    assert result.name == "tiny-int4"
    assert read_quality(Path(result.folder)) is not None
    assert (Path(result.folder) / "chat_template.jinja").read_text() == "{{ messages }}"
    assert ("exporting: layer 0", 0.0) in report.told
    assert ("Saving b", 1.0) in report.told


def test_what_the_exporter_said_last_is_in_the_error(folder: Path, tmp_path: Path) -> None:
    python = exporter(tmp_path, "echo 'RuntimeError: no such layer' >&2; exit 1")
    with pytest.raises(ApplianceError, match="no such layer"):
        export_decoder(python, folder, tmp_path / "out", tmp_path / "cache", lambda *_: None)


def test_an_exporter_that_the_system_killed_is_said_to_want_memory(folder: Path, tmp_path: Path) -> None:
    python = exporter(tmp_path, "kill -9 $$")
    with pytest.raises(ApplianceError, match="memory"):
        export_decoder(python, folder, tmp_path / "out", tmp_path / "cache", lambda *_: None)


def test_a_conversion_that_is_killed_leaves_nothing_outside_its_own_folder(folder: Path, tmp_path: Path) -> None:
    home, job = tmp_path / "home", tmp_path / "home" / "jobs" / "one"
    job.mkdir(parents=True)
    exporter(home, 'mkdir -p "$out"; echo half > "$out/model.onnx"; echo Reading layer 1; exec sleep 60')
    before = {path for path in home.rglob("*") if job not in path.parents}
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-P", "-m", "appliance.backends.convert_job"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=job, process_group=0, env=environ
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        arguments = msgspec.Raw(msgspec.json.encode({"model": str(folder), "force": True}))
        order = JobOrder(id="job-1", arguments=arguments, home=str(home), folder=str(job))
        child.stdin.write(msgspec.json.encode(order) + b"\n")
        child.stdin.flush()
        events = (msgspec.json.decode(line, type=JobProgress | ChildResult) for line in child.stdout)
        assert any(isinstance(event, JobProgress) and event.text == "exporting: layer 1" for event in events)
        os.killpg(child.pid, signal.SIGKILL)

    assert (job / "exported" / "model.onnx").is_file()
    assert {path for path in home.rglob("*") if job not in path.parents} == before


def test_an_environment_is_made_once_and_kept(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("# nothing\n")
    job = tmp_path / "job"
    job.mkdir()
    python = ensure_environment(tmp_path, job / "environment", lambda *_: None, lock)

    assert python == find_environment(tmp_path, lock) / "bin" / "python"
    prefix = subprocess.check_output([str(python), "-c", "import sys; print(sys.prefix)"], text=True).strip()
    assert Path(prefix) == find_environment(tmp_path, lock)
    assert not list(job.iterdir())
    assert ensure_environment(tmp_path, job / "environment", lambda *_: None, lock) == python
    assert not list(job.iterdir())


def test_an_environment_that_cannot_be_made_is_not_there(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("no requirement at all\n")
    (tmp_path / "job").mkdir()
    with pytest.raises(ApplianceError, match="no requirement"):
        ensure_environment(tmp_path, tmp_path / "job" / "environment", lambda *_: None, lock)
    assert not (tmp_path / "conversion").exists()


@pytest.mark.slow
@pytest.mark.skipif("CONVERSION_ENVIRONMENT" not in os.environ, reason="names no environment with the exporters")
@pytest.mark.skipif("CONVERSION_MODEL" not in os.environ, reason="names no folder to convert")
@pytest.mark.timeout(600)
def test_the_real_exporter_makes_a_model_that_is_served(tmp_path: Path) -> None:
    (tmp_path / "conversion").mkdir()
    (tmp_path / "conversion" / "own").symlink_to(os.environ["CONVERSION_ENVIRONMENT"])
    report: Any = FakeReport(tmp_path)
    order = ConvertArguments(model=os.environ["CONVERSION_MODEL"], accept_loss=True)

    assert read_quality(Path(convert(order, report).folder)) is not None

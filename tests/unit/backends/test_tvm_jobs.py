"""The work of the jobs `compile` and `tune`: all of a model or nothing, once, and measured."""

import io
import os
import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import tvm  # noqa: F401 - with its compiler, before a test of another file loads it without
from msgspec.structs import replace

from appliance.backends.base import Batch, Run
from appliance.backends.loading import open_backend
from appliance.backends.tvm.compile_job import compile_model
from appliance.backends.tvm.compiled import compiled_in
from appliance.backends.tvm.description import TvmDescription
from appliance.backends.tvm.folders import LIBRARY_FILE, WEIGHTS_FILE
from appliance.backends.tvm.job_arguments import CompileArguments, TuneArguments
from appliance.backends.tvm.limits import instruction_set_for
from appliance.backends.tvm.record import RECORD_FILE, read_record
from appliance.backends.tvm.target import target_of
from appliance.backends.tvm.tune_job import tune
from appliance.child import Reporter
from appliance.core.kernels import MatrixTile
from appliance.errors import BackendError, ModelNotFound
from appliance.hardware.probe import probe
from models.store.store import ModelStore
from tests.onnx_shapes import write_decoder
from tests.tiny_decoders import DECODERS, TinyDecoder, write_tiny_decoder
from tests.unit.backends.plans import plan_of

INSTRUCTIONS = probe().processor.instructions
HERE = str(instruction_set_for(INSTRUCTIONS))
FLOATS = next(decoder for decoder in DECODERS if decoder.matrices == "F16")
OUTPUT_TILE = MatrixTile(num_outputs=128, num_inputs=128, bits=8, num_tokens=2, num_blocks=1)
FOREIGN_TILE = MatrixTile(num_outputs=99 * 16, num_inputs=128, bits=8, num_tokens=2, num_blocks=1)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    add(tmp_path, DECODERS[0])
    return tmp_path


@pytest.fixture(scope="module")
def once_compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("compiled")
    add(home, DECODERS[0])
    compile_model(order(), reporter(home))
    return home


@pytest.fixture
def compiled_home(once_compiled: Path, tmp_path: Path) -> Path:
    """A home of the test's own whose model is compiled already."""
    shutil.copytree(once_compiled, tmp_path, dirs_exist_ok=True)
    return tmp_path


def add(home: Path, decoder: TinyDecoder) -> None:
    path = home / f"{decoder.name}.gguf"
    write_tiny_decoder(path, decoder)
    for _ in ModelStore(home).add(path, decoder.name, False, 1.0):
        pass


def reporter(home: Path) -> Reporter:
    folder = home / "run" / "jobs" / "job-1"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return Reporter(io.BytesIO(), home, folder)


def order(model: str = "llama", *tiles: MatrixTile) -> CompileArguments:
    return CompileArguments(model=model, instruction_set=HERE, tiles=tiles)


def logits(home: Path) -> np.ndarray:
    target = target_of("llama", home, HERE)
    plan = plan_of("tvm", "gguf", str(home / "llama.gguf"), compiled_path=str(target.folder.parent))
    model = open_backend("tvm").load(replace(plan, instructions=INSTRUCTIONS), lambda ratio: None)
    rows = model.step(Batch((Run(0, 0, np.arange(13, dtype=np.int32), 13),))).logits[0].copy()
    model.close()
    return rows


def test_a_model_is_made_ready_once_with_its_speed(home: Path) -> None:
    first = compile_model(order(), reporter(home))
    folder = target_of("llama", home, HERE).folder
    made = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = compile_model(order(), reporter(home))

    assert "the file's own" in first.note
    assert again.note == "it is compiled already"
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == made
    assert first.speed is not None and first.speed == again.speed == read_record(folder).speed
    assert first.speed.prefill_tokens_per_s > first.speed.decode_tokens_per_s > 0


def test_weights_of_another_type_are_quantized_anew_and_the_operator_is_told(home: Path) -> None:
    add(home, FLOATS)

    assert "quantized anew, to 8 bits" in compile_model(order("floats"), reporter(home)).note


def test_other_bits_replace_the_weights_and_are_kept_until_others_are_asked_for(home: Path) -> None:
    add(home, FLOATS)

    def made(bits: Literal[4, 8] | None) -> bool:
        return target_of("floats", home, HERE, bits).ensure((), reporter(home))

    assert made(None)
    folder = target_of("floats", home, HERE).folder
    eight_bytes = (folder / WEIGHTS_FILE).stat().st_size
    assert made(4)
    assert (folder / WEIGHTS_FILE).stat().st_size < 0.75 * eight_bytes
    assert not made(None)
    assert target_of("floats", home, HERE).shape.layers[0] == (4, 4, 4, 4)
    folder.rename(folder.with_name("avx2-0.1-older"))
    assert target_of("floats", home, HERE).bits == 4
    assert made(8)
    assert target_of("floats", home, HERE).bits == 8


def test_bits_change_nothing_of_weights_that_are_taken_as_they_are(compiled_home: Path) -> None:
    assert compile_model(replace(order(), bits=4), reporter(compiled_home)).note == "it is compiled already"


def test_without_a_linker_a_model_is_compiled_by_whoever_loads_it_until_there_is_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", str(home))
    assert TvmDescription().descriptor(probe()).drawback is not None
    compile_model(order(), reporter(home))
    folder = target_of("llama", home, HERE).folder
    assert not (folder / LIBRARY_FILE).exists()
    (listed,) = compiled_in(folder.parent, ("llama",), INSTRUCTIONS)
    assert not listed.has_step
    here = logits(home)

    monkeypatch.setenv("PATH", path)
    assert TvmDescription().descriptor(probe()).drawback is None
    compile_model(order(), reporter(home))
    assert (folder / LIBRARY_FILE).exists()
    np.testing.assert_array_equal(logits(home), here)


def test_a_linker_that_fails_counts_as_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("g++", "gcc", "cc"):
        (home / name).write_text("#!/bin/sh\necho no ld here >&2\nexit 1\n")
        (home / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{home}:{os.environ['PATH']}")
    compile_model(order(), reporter(home))
    assert [path.name for path in target_of("llama", home, HERE).folder.glob("*.so")] == []
    assert logits(home).shape[0] == 13


def test_other_tiles_replace_the_step_but_neither_the_weights_nor_a_bit_of_what_comes_out(compiled_home: Path) -> None:
    before, folder = logits(compiled_home), target_of("llama", compiled_home, HERE).folder
    weights = (folder / "weights.bin").stat()

    compile_model(order("llama", FOREIGN_TILE, OUTPUT_TILE), reporter(compiled_home))

    assert read_record(folder).tiles == (OUTPUT_TILE,)
    assert (folder / "weights.bin").stat().st_ino == weights.st_ino
    np.testing.assert_array_equal(logits(compiled_home), before)


def test_work_that_fails_leaves_nothing_among_what_is_compiled(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.backends.tvm.child.write_weights", out_of_space)

    with pytest.raises(BackendError, match="cannot run 'llama': no space"):
        compile_model(order(), reporter(home))
    assert not (home / "compiled").exists()


def out_of_space(*arguments: object) -> None:
    raise OSError("no space")


def test_what_the_kernels_cannot_run_is_refused_with_the_reason(home: Path) -> None:
    write_decoder(home / "graph", weights="f32")

    with pytest.raises(ModelNotFound, match="'nobody'"):
        compile_model(order("nobody"), reporter(home))
    add(home, TinyDecoder("strange", "gpt2"))
    with pytest.raises(BackendError, match="do not compute the architecture 'gpt2'"):
        compile_model(order("strange"), reporter(home))


def test_a_processor_that_there_are_no_kernels_for_is_no_part_of_a_path() -> None:
    with pytest.raises(ValueError, match="there are kernels for"):
        CompileArguments(model="llama", instruction_set="../../etc")


def test_tuning_measures_every_matrix_of_what_is_compiled_and_its_speed_anew(compiled_home: Path) -> None:
    folder = target_of("llama", compiled_home, HERE).folder
    (folder / RECORD_FILE).unlink()

    found = tune(TuneArguments(instruction_set=HERE, tiles=(FOREIGN_TILE,)), reporter(compiled_home))

    assert set(found.measured) == set(target_of("llama", compiled_home, HERE).shape.products())
    assert read_record(folder).tiles == tuple(sorted(found.tiles, key=lambda tile: tile.matrix))
    assert read_record(folder).speed is not None


def test_without_a_compiled_model_there_is_nothing_to_tune(home: Path) -> None:
    with pytest.raises(BackendError, match="appliance kernels compile NAME"):
        tune(TuneArguments(instruction_set=HERE), reporter(home))

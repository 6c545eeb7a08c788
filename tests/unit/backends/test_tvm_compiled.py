"""What is compiled of a model, and what of it may go."""

import os
from pathlib import Path

from appliance.backends.tvm.compiled import ABANDONED_AFTER_S, clean, compiled_in
from appliance.backends.tvm.folders import folder_in
from appliance.backends.tvm.record import Record, write_record
from appliance.core.hardware import Instruction
from appliance.core.kernels import KernelSpeed, MatrixTile

HERE = frozenset({Instruction.AVX2})
NOW_S = 1e9
SPEED = KernelSpeed(prefill_tokens_per_s=1500, decode_tokens_per_s=96, decode_8_tokens_per_s=458)
TILE = MatrixTile(num_outputs=16, num_inputs=32, bits=4, num_tokens=1, num_blocks=1)


def made(folder: Path, size_bytes: int = 10) -> Path:
    folder.mkdir(parents=True)
    (folder / "weights.bin").write_bytes(bytes(size_bytes))
    return folder


def abandoned(folder: Path, age_s: float) -> Path:
    for path in (*made(folder).iterdir(), folder):
        os.utime(path, (NOW_S - age_s, NOW_S - age_s))
    return folder


def test_the_current_stands_first_with_what_was_measured(tmp_path: Path) -> None:
    made(tmp_path / "avx2-0.1-abc")
    write_record(made(folder_in(tmp_path, "avx2")), Record(tiles=(TILE,), speed=SPEED))

    current, old = compiled_in(tmp_path, ("a", "b"), HERE)

    assert (current.is_current, current.models, current.num_tuned, current.speed) == (True, ("a", "b"), 1, SPEED)
    assert (old.is_current, old.instruction_set, old.compiler, old.kernels) == (False, "avx2", "0.1", "abc")
    assert (old.size_bytes, old.speed) == (10, None)


def test_what_another_processor_could_use_is_not_current_here(tmp_path: Path) -> None:
    made(folder_in(tmp_path, "neon"))

    assert [each.is_current for each in compiled_in(tmp_path, ("a",), HERE)] == [False]
    assert [each.is_current for each in compiled_in(tmp_path, ("a",), frozenset())] == [False]


def test_folders_of_other_backends_are_none_of_ours(tmp_path: Path) -> None:
    other = made(tmp_path / "onnx-3")

    assert list(compiled_in(tmp_path, ("a",), HERE)) == []
    assert clean(tmp_path, HERE, NOW_S) == (0, 0)
    assert other.exists()


def test_cleaning_leaves_what_is_used_and_what_is_being_made(tmp_path: Path) -> None:
    current, old = made(folder_in(tmp_path, "avx2")), made(tmp_path / "avx2-0.1-abc", 100)
    dead = abandoned(tmp_path / ".making-dead", ABANDONED_AFTER_S + 1)
    alive = abandoned(tmp_path / ".making-alive", ABANDONED_AFTER_S - 1)

    assert clean(tmp_path, HERE, NOW_S) == (2, 110)
    assert [path.exists() for path in (current, alive, old, dead)] == [True, True, False, False]


def test_a_model_of_which_nothing_is_compiled_has_no_folder(tmp_path: Path) -> None:
    assert list(compiled_in(tmp_path / "none", ("a",), HERE)) == []
    assert clean(tmp_path / "none", HERE, NOW_S) == (0, 0)

"""What the daemon orders of the jobs that compile and tune, and what it keeps of what they find."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from appliance.backends.tvm.folders import WEIGHTS_FILE, folder_in
from appliance.backends.tvm.job_arguments import CompileArguments, TuneArguments
from appliance.core.hardware import Instruction
from appliance.core.jobs import Job, JobId
from appliance.core.kernels import MatrixTile, TunedTiles
from appliance.errors import Conflict, ModelNotFound
from appliance.service.installed import Installed
from appliance.service.kernels import KernelCare
from appliance.service.tunings import Tunings
from models.store.store import ModelStore
from tests.fakes import load_plan, machine

SNAPSHOT = machine(usable_cores=3, instructions=frozenset({Instruction.AVX2}))
JOB = Job(id=JobId("job-1"), kind="tune", arguments={}, caller="me", created_s=0.0)


def tile(num_outputs: int, num_tokens: int = 2) -> MatrixTile:
    return MatrixTile(num_outputs=num_outputs, num_inputs=32, bits=8, num_tokens=num_tokens, num_blocks=1)


def tunings(home: Path, kernels: str = "avx2-1-a", cores: int = 3) -> Tunings:
    processor = msgspec.structs.replace(SNAPSHOT.processor, usable_cores=cores)
    return Tunings(home / "calibration", processor, lambda: kernels)


def care(home: Path, *, is_busy: bool = False, has_kernels: bool = True) -> KernelCare:
    installed = Installed(ModelStore(home), lambda model, manifest, variant: load_plan(model), "guide")
    return KernelCare(installed, SNAPSHOT if has_kernels else machine(), tunings(home), lambda: is_busy)


def found(*tiles: MatrixTile, measured: tuple[int, ...]) -> TunedTiles:
    shapes = tuple((num_outputs, 32, 8) for num_outputs in measured)
    return TunedTiles(instruction_set="avx2", measured=shapes, tiles=tiles)


def test_a_model_is_compiled_for_this_processor_with_the_tiles_that_were_found(tmp_path: Path) -> None:
    tunings(tmp_path).keep(found(tile(16), measured=(16,)))

    order = care(tmp_path).compile_order("guide")

    assert isinstance(order, CompileArguments)
    assert (order.model, order.instruction_set) == ("guide", "avx2")
    assert (order.tiles, order.num_threads) == ((tile(16),), 3)


def test_an_unknown_model_or_processor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        care(tmp_path).compile_order("nobody")
    with pytest.raises(Conflict, match="not written for this processor"):
        care(tmp_path, has_kernels=False).compile_order("guide")


def test_nothing_is_measured_while_models_answer(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="models are answering"):
        care(tmp_path, is_busy=True).tune_order("guide")


def test_all_that_is_compiled_is_tuned_where_no_model_is_named(tmp_path: Path) -> None:
    order = care(tmp_path).tune_order(None)

    assert isinstance(order, TuneArguments)
    assert order.model is None


def test_what_a_job_found_is_used_from_then_on(tmp_path: Path) -> None:
    result = msgspec.to_builtins(found(tile(16), measured=(16, 32)))

    assert asyncio.run(care(tmp_path).keep_tuned(JOB, result)) == result
    assert tunings(tmp_path).tiles() == (tile(16),)


def test_a_later_search_replaces_what_it_measured_and_nothing_else(tmp_path: Path) -> None:
    tunings(tmp_path).keep(found(tile(16), tile(32), tile(48), measured=(16, 32, 48)))
    tunings(tmp_path).keep(found(tile(32, num_tokens=4), measured=(16, 32)))

    assert tunings(tmp_path).tiles() == (tile(48), tile(32, num_tokens=4))


def test_other_kernels_and_other_machines_are_measured_anew(tmp_path: Path) -> None:
    tunings(tmp_path).keep(found(tile(16), measured=(16,)))

    assert tunings(tmp_path, kernels="avx2-1-b").tiles() == ()
    assert tunings(tmp_path, cores=4).tiles() == ()


def test_a_damaged_file_costs_only_the_tuning(tmp_path: Path) -> None:
    tunings(tmp_path).keep(found(tile(16), measured=(16,)))
    (path,) = (tmp_path / "calibration").iterdir()
    path.write_bytes(b"[")

    assert tunings(tmp_path).tiles() == ()


def test_every_model_is_asked_what_is_compiled_of_it(tmp_path: Path) -> None:
    assert care(tmp_path).compiled() == ()
    assert care(tmp_path).clean().num_removed == 0


def test_what_other_kernels_were_compiled_for_is_outdated_until_it_is_made_anew(tmp_path: Path) -> None:
    kept = care(tmp_path)
    ((artefact, _),) = Installed(ModelStore(tmp_path), lambda *_: load_plan("guide"), "guide").artefacts()
    compiled = Path(artefact.compiled_path)
    assert kept.outdated() == []

    (compiled / "avx2-0.27-0123456789ab").mkdir(parents=True)
    assert kept.outdated() == ["guide"]
    assert care(tmp_path, has_kernels=False).outdated() == []

    current = folder_in(compiled, "avx2")
    current.mkdir()
    (current / WEIGHTS_FILE).touch()
    assert kept.outdated() == []

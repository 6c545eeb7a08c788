"""What was measured once for a machine and a model is found again, and only there."""

from pathlib import Path

import msgspec
import pytest

from appliance.core.events import ModelCalibrated
from appliance.core.hardware import Processor
from appliance.core.plan import Artefact, Calibration
from appliance.service.calibrations import Calibrations, candidate_threads
from tests.fakes import load_plan, machine

FOUR_CORES = machine(usable_cores=4).processor
MEASURED = Calibration(threads_decode=3, threads_prefill=4)
PLAN = load_plan()


def calibrations(folder: Path, processor: Processor = FOUR_CORES, version: str = "1") -> Calibrations:
    return Calibrations(folder / "calibration", processor, {"echo": version})


def processor(**facts: int | float) -> Processor:
    return msgspec.structs.replace(FOUR_CORES, **facts)


def keep(store: Calibrations, calibration: Calibration = MEASURED) -> None:
    store.apply(PLAN)
    store.observe(ModelCalibrated(model=PLAN.model, calibration=calibration))


def test_a_model_that_was_never_measured_comes_with_the_numbers_to_try(tmp_path: Path) -> None:
    plan = calibrations(tmp_path).apply(PLAN)
    assert plan.thread_candidates == (4, 3, 2, 1)
    assert (plan.threads_decode, plan.threads_prefill) == (PLAN.threads_decode, PLAN.threads_prefill)


def test_a_model_is_measured_once(tmp_path: Path) -> None:
    keep(calibrations(tmp_path))
    plan = calibrations(tmp_path).apply(PLAN)
    assert plan.thread_candidates == ()
    assert (plan.threads_decode, plan.threads_prefill) == (3, 4)
    assert plan.reasons[-1] == "measured here: 3 threads generate fastest, 4 read prompts fastest"


def test_a_later_measurement_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    store = calibrations(tmp_path)
    keep(store)
    keep(store, Calibration(threads_decode=1, threads_prefill=1))
    assert store.apply(PLAN).threads_decode == 1
    assert [path.suffix for path in (tmp_path / "calibration").iterdir()] == [".json"]


def test_what_nobody_planned_is_not_kept(tmp_path: Path) -> None:
    calibrations(tmp_path).observe(ModelCalibrated(model="stranger", calibration=MEASURED))
    assert not (tmp_path / "calibration").exists()


def test_another_model_machine_or_version_of_the_library_is_measured_anew(tmp_path: Path) -> None:
    keep(calibrations(tmp_path))
    other_file = msgspec.structs.replace(PLAN, artefact=Artefact(format="echo", path="", digest="sha256:1"))
    assert calibrations(tmp_path).apply(other_file).thread_candidates
    assert calibrations(tmp_path, processor(usable_cores=2)).apply(PLAN).thread_candidates
    assert calibrations(tmp_path, version="2").apply(PLAN).thread_candidates


@pytest.mark.parametrize("content", [b"", b"{", b'{"threads_decode": "many"}', b"\xff\x00"])
def test_a_damaged_file_is_said_and_measured_anew(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    keep(calibrations(tmp_path))
    (file,) = (tmp_path / "calibration").iterdir()
    file.write_bytes(content)
    assert calibrations(tmp_path).apply(PLAN).thread_candidates
    assert "measured again" in caplog.text


def test_a_folder_that_cannot_be_written_costs_a_measurement_not_the_model(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "calibration").write_text("a file where the folder should be")
    keep(calibrations(tmp_path))
    assert "cannot be kept" in caplog.text


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        (processor(usable_cores=1, physical_cores=1, logical_cores=1), (1,)),
        (processor(usable_cores=2, physical_cores=2, logical_cores=2), (2, 1)),
        (processor(usable_cores=8, physical_cores=8, logical_cores=16), (8, 6, 4, 2, 16)),
        # Hybrid: the performance cores, all cores, all logical processors.
        (processor(usable_cores=8, performance_cores=8, physical_cores=12, logical_cores=20), (8, 6, 4, 2, 12, 20)),
        (processor(usable_cores=2, physical_cores=64, logical_cores=128), (2, 1)),  # affinity to two
        (processor(usable_cores=4, physical_cores=4, logical_cores=8, quota_cores=4.5), (4, 3, 2, 1)),
    ],
)
def test_a_handful_of_numbers_is_tried_none_beyond_what_the_process_may_use(
    cores: Processor, expected: tuple[int, ...]
) -> None:
    assert candidate_threads(cores) == expected

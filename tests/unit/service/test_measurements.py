"""What was measured is found again on the same machine with the same software, and only there."""

from pathlib import Path

import msgspec
import pytest

from appliance.core.hardware import Accelerator, HardwareSnapshot
from appliance.core.measurement import Measurement, ModelSpeed, PrefillSpeed
from appliance.service.measurements import AGAIN_AFTER_S, Measurements
from tests.fakes import machine

FOUND = Measurement(
    speed=ModelSpeed(prefill=(PrefillSpeed(num_tokens=128, tokens_per_s=100.0),), decode_1_tokens_per_s=10.0),
    memory_bytes=2**20,
    estimated_bytes=2**20,
    threads_decode=2,
    threads_prefill=2,
    measured_s=1000.0,
)
DISTURBED = msgspec.structs.replace(FOUND, is_disturbed=True)
KEY = ("sha256:1", "echo", "f16")


def measurements(folder: Path, snapshot: HardwareSnapshot | None = None, version: str = "1") -> Measurements:
    return Measurements(folder / "calibration", snapshot or machine(), lambda: {"echo": version})


def gpu(driver_version: str) -> HardwareSnapshot:
    card = Accelerator(
        id="pci:1",
        kind="gpu",
        vendor="nvidia",
        name="a card",
        driver="nvidia",
        driver_version=driver_version,
        architecture=None,
        memory_bytes=None,
        is_integrated=False,
    )
    return msgspec.structs.replace(machine(), accelerators=(card,))


def test_what_was_measured_is_found_by_the_next_daemon(tmp_path: Path) -> None:
    assert measurements(tmp_path).find(*KEY) is None
    measurements(tmp_path).keep(*KEY, FOUND)
    assert measurements(tmp_path).find(*KEY) == FOUND
    assert not measurements(tmp_path).is_due(*KEY, 10**12)


@pytest.mark.parametrize(
    "other", [("sha256:2", "echo", "f16"), ("sha256:1", "other", "f16"), ("sha256:1", "echo", "int8")]
)
def test_other_files_backends_and_key_types_are_measured_by_themselves(
    tmp_path: Path, other: tuple[str, str, str]
) -> None:
    measurements(tmp_path).keep(*KEY, FOUND)
    assert measurements(tmp_path).find(*other) is None


def test_another_machine_is_measured_by_itself(tmp_path: Path) -> None:
    measurements(tmp_path).keep(*KEY, FOUND)
    other = measurements(tmp_path, machine(usable_cores=2))
    assert (other.find(*KEY), other.before(*KEY)) == (None, None)


def test_a_new_version_is_measured_anew_and_compared_with_the_last_one(tmp_path: Path) -> None:
    measurements(tmp_path).keep(*KEY, FOUND)
    newer = measurements(tmp_path, version="2")
    assert newer.find(*KEY) is None
    assert newer.is_due(*KEY, 2000.0)
    assert newer.before(*KEY) == FOUND


def test_a_new_driver_is_a_new_version(tmp_path: Path) -> None:
    measurements(tmp_path, gpu("550")).keep(*KEY, FOUND)
    assert measurements(tmp_path, gpu("550")).find(*KEY) == FOUND
    assert measurements(tmp_path, gpu("560")).find(*KEY) is None
    assert measurements(tmp_path, gpu("560")).before(*KEY) == FOUND


def test_what_was_disturbed_counts_for_nothing_and_is_tried_again_later(tmp_path: Path) -> None:
    store = measurements(tmp_path)
    store.keep(*KEY, DISTURBED)
    assert store.find(*KEY) is None
    assert not store.is_due(*KEY, 1000.0 + AGAIN_AFTER_S - 1)
    assert store.is_due(*KEY, 1000.0 + AGAIN_AFTER_S)


def test_what_was_disturbed_leaves_what_was_not(tmp_path: Path) -> None:
    store = measurements(tmp_path)
    store.keep(*KEY, FOUND)
    store.keep(*KEY, DISTURBED)
    assert store.find(*KEY) == FOUND


def test_what_cannot_be_measured_is_not_tried_again_until_something_changes(tmp_path: Path) -> None:
    measurements(tmp_path).keep_problem(*KEY, "it crashed")
    store = measurements(tmp_path)
    assert store.problem(*KEY) == "it crashed"
    assert not store.is_due(*KEY, 10**12)
    assert measurements(tmp_path, version="2").is_due(*KEY, 10**12)


def test_a_success_ends_a_problem_and_a_problem_leaves_the_last_success(tmp_path: Path) -> None:
    store = measurements(tmp_path)
    store.keep(*KEY, FOUND)
    store.keep_problem(*KEY, "it crashed")
    assert (store.find(*KEY), store.problem(*KEY)) == (FOUND, "it crashed")
    store.keep(*KEY, FOUND)
    assert store.problem(*KEY) is None


def test_a_damaged_file_is_said_and_measured_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    measurements(tmp_path).keep(*KEY, FOUND)
    (file,) = (tmp_path / "calibration").iterdir()
    file.write_bytes(b"{")
    assert measurements(tmp_path).is_due(*KEY, 2000.0)
    assert "it is measured again" in caplog.text

"""What tells that a GPU's driver may be another one."""

import os
from pathlib import Path

from appliance.hardware.accelerators.driver_state import asleep_s, driver_state
from tests.unit.hardware.trees import plant

ICD = "/usr/share/vulkan/icd.d/radeon_icd.x86_64.json"


def test_without_any_driver_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert driver_state(tmp_path) == ""


def test_another_driver_is_another_text(tmp_path: Path) -> None:
    plant(tmp_path, {"/proc/driver/nvidia/version": "NVRM version: 550.120\n", "/sys/module/nvidia/version": "550.120"})
    before = driver_state(tmp_path)
    assert driver_state(tmp_path) == before
    plant(tmp_path, {"/sys/module/nvidia/version": "560.35"})
    assert driver_state(tmp_path) != before


def test_a_vulkan_driver_that_was_written_anew_is_another_one(tmp_path: Path) -> None:
    plant(tmp_path, {ICD: "{}"})
    before = driver_state(tmp_path)
    os.utime(tmp_path / ICD.lstrip("/"), ns=(1, 1))
    assert driver_state(tmp_path) != before


def test_a_machine_that_is_awake_has_slept_a_certain_time() -> None:
    assert abs(asleep_s() - asleep_s()) < 1.0

"""NPUs: on PCI with a driver and without, and in the device tree."""

from pathlib import Path

import pytest

from appliance.hardware.accelerators import npu
from appliance.hardware.files import Notes, Tree
from tests.unit.hardware.cards import devices, plug
from tests.unit.hardware.trees import plant


# Classes: an Intel NPU is a processing accelerator; AMD's calls itself a signal processor, Hailo's a co-processor.
@pytest.mark.parametrize(
    ("ids", "kind", "driver", "vendor", "name"),
    [
        ("8086:7d1d", "0x120000", "intel_vpu", "intel", None),
        ("1022:17f0", "0x118000", "amdxdna", "amd", "Ryzen AI (XDNA 2)"),
        ("1022:1502", "0x118000", "", "amd", "Ryzen AI (XDNA)"),
        ("1e60:2864", "0x0b4000", "hailo", "hailo", "Hailo-8"),
        ("1e60:45c4", "0x0b4000", "", "hailo", "Hailo-10H"),
        ("17cb:a100", "0x120000", "qaic", "qualcomm", "Cloud AI 100"),
    ],
)
def test_an_npu_on_pci_is_known_by_its_ids(
    tmp_path: Path, ids: str, kind: str, driver: str, vendor: str, name: str | None
) -> None:
    plug(tmp_path, "0000:c6:00.1", ids, kind=kind, driver=driver)
    (found,) = npu.probe(Tree(tmp_path, Notes()), devices(tmp_path))
    assert (found.id, found.kind, found.vendor, found.name) == ("pci:0000:c6:00.1", "npu", vendor, name)
    assert found.driver == (driver or None)


def test_hailos_driver_tells_its_version_under_its_modules_name(tmp_path: Path) -> None:
    plug(tmp_path, "0001:01:00.0", "1e60:2864", kind="0x0b4000", driver="hailo")
    plant(tmp_path, {"/sys/module/hailo_pci/version": "4.20.0\n"})
    (found,) = npu.probe(Tree(tmp_path, Notes()), devices(tmp_path))
    assert found.driver_version == "4.20.0"


def test_intels_npu_tells_the_memory_that_it_uses(tmp_path: Path) -> None:
    plug(tmp_path, "0000:00:0b.0", "8086:7d1d", kind="0x120000", driver="intel_vpu", npu_memory_utilization="4096")
    (readings,) = npu.read(Tree(tmp_path, Notes()), devices(tmp_path))
    assert (readings.id, readings.memory_used_bytes) == ("pci:0000:00:0b.0", 4096)


def test_rockchips_npu_is_named_by_its_chip(tmp_path: Path) -> None:
    node = "/sys/bus/platform/devices/fdab0000.npu"
    plant(
        tmp_path,
        {
            "/proc/device-tree/compatible": "radxa,rock-5b\0rockchip,rk3588\0",
            f"{node}/uevent": "DRIVER=RKNPU\n",
            "/sys/module/rknpu/version": "0.9.8\n",
        },
        {f"{node}/driver": "../../../bus/platform/drivers/RKNPU"},
    )
    (found,) = npu.probe(Tree(tmp_path, Notes()), ())
    assert (found.id, found.vendor, found.name) == ("platform:fdab0000.npu", "rockchip", "RK3588 NPU")
    assert (found.driver, found.driver_version, found.is_integrated) == ("RKNPU", "0.9.8", True)


def test_rockchips_npu_without_a_driver_says_so(tmp_path: Path) -> None:
    files = {
        "/proc/device-tree/compatible": "xunlong,orangepi-5\0rockchip,rk3588s\0",
        "/sys/bus/platform/devices/fdab0000.npu/": "",
    }
    (found,) = npu.probe(Tree(plant(tmp_path, files), Notes()), ())
    assert (found.name, found.driver) == ("RK3588S NPU", None)


def test_a_board_without_an_npu_has_none(tmp_path: Path) -> None:
    files = {"/proc/device-tree/compatible": "rockchip,rk3399\0", "/sys/bus/platform/devices/ff9a0000.gpu/": ""}
    assert list(npu.probe(Tree(plant(tmp_path, files), Notes()), ())) == []

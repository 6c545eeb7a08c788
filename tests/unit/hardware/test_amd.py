"""AMD's GPUs from amdgpu's files and the compute driver's topology."""

from pathlib import Path

import pytest

from appliance.hardware.accelerators import amd
from appliance.hardware.files import Notes, Tree
from tests.unit.hardware.cards import devices, plug
from tests.unit.hardware.trees import plant

# /sys/class/kfd/kfd/topology/nodes/1/properties of a Radeon RX 7900 XTX, in part, as reports to ROCm quote it; node 0
# is the processor.
RX_7900_XTX = """cpu_cores_count 0
simd_count 192
wave_front_size 32
gfx_target_version 110000
vendor_id 4098
device_id 29772
location_id 768
domain 0
drm_render_minor 128
unique_id 11420932837461522459
"""
PROCESSOR = "cpu_cores_count 16\nsimd_count 0\ngfx_target_version 0\nvendor_id 0\nlocation_id 0\n"
NODES = "/sys/class/kfd/kfd/topology/nodes"


def test_a_card_is_read_with_its_memory_and_target(tmp_path: Path) -> None:
    plug(tmp_path, "0000:03:00.0", "1002:744c", driver="amdgpu", revision="0xc8", mem_info_vram_total="25753026560")
    plant(
        tmp_path,
        {
            f"{NODES}/0/properties": PROCESSOR,
            f"{NODES}/1/properties": RX_7900_XTX,
            "/usr/share/libdrm/amdgpu.ids": "744C,\tC8,\tAMD Radeon RX 7900 XTX\n744C,\tCC,\tAMD Radeon RX 7900 XT\n",
            "/sys/module/amdgpu/version": "6.8.5\n",
        },
    )
    (gpu,) = amd.probe(Tree(tmp_path, Notes()), devices(tmp_path))
    assert (gpu.id, gpu.name, gpu.architecture) == ("pci:0000:03:00.0", "AMD Radeon RX 7900 XTX", "gfx1100")
    assert (gpu.driver, gpu.driver_version) == ("amdgpu", "6.8.5")
    assert (gpu.memory_bytes, gpu.is_integrated) == (25753026560, False)


@pytest.mark.parametrize(
    ("version", "target"),
    [(90010, "gfx90a"), (90402, "gfx942"), (110501, "gfx1151"), (120001, "gfx1201"), (100306, "gfx1036")],
)
def test_a_target_is_written_with_hexadecimal_steps(version: int, target: str) -> None:
    assert amd.parse_kfd_properties(f"location_id 50432\ngfx_target_version {version}\ndomain 1\n") == (
        "0001:c5:00.0",
        target,
    )


@pytest.mark.parametrize("text", [PROCESSOR, "", "gfx_target_version\n", "gfx_target_version 110000\n", "\x00\xff"])
def test_a_node_that_is_no_gpu_has_no_target(text: str) -> None:
    assert amd.parse_kfd_properties(text) is None


@pytest.mark.parametrize(("version", "is_integrated"), [(110501, True), (110000, False), (90402, None), (None, None)])
def test_graphics_of_a_processor_are_told_from_a_card(
    tmp_path: Path, version: int | None, is_integrated: bool | None
) -> None:
    plug(tmp_path, "0000:03:00.0", "1002:1586", driver="amdgpu")
    if version is not None:
        plant(tmp_path, {f"{NODES}/1/properties": f"gfx_target_version {version}\nlocation_id 768\n"})
    (gpu,) = amd.probe(Tree(tmp_path, Notes()), devices(tmp_path))
    assert gpu.is_integrated is is_integrated


def test_what_a_card_does_is_read_beside_it(tmp_path: Path) -> None:
    folder = plug(
        tmp_path, "0000:03:00.0", "1002:744c", driver="amdgpu", gpu_busy_percent="37", mem_info_vram_used="1048576"
    )
    plant(
        tmp_path, {f"{folder}/hwmon/hwmon3/temp1_input": "54000\n", f"{folder}/hwmon/hwmon3/power1_average": "99000000"}
    )
    (readings,) = amd.read(Tree(tmp_path, Notes()), devices(tmp_path))
    assert (readings.busy_ratio, readings.memory_used_bytes) == (0.37, 1048576)
    assert (readings.celsius, readings.watts) == (54, 99)


def test_a_card_without_a_driver_is_still_there(tmp_path: Path) -> None:
    plug(tmp_path, "0000:03:00.0", "1002:744c")
    tree = Tree(tmp_path, Notes())
    (gpu,) = amd.probe(tree, devices(tmp_path))
    assert (gpu.driver, gpu.memory_bytes, gpu.name, gpu.is_integrated) == (None, None, None, None)

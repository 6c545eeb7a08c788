"""NVIDIA's GPUs: by nvidia-smi, by the driver's files, by PCI alone, and on Jetson."""

from pathlib import Path

import pytest

from appliance.core.hardware import Accelerator
from appliance.hardware.accelerators import nvidia, soc
from appliance.hardware.accelerators.nvidia_smi import explain, parse_rows
from appliance.hardware.files import Notes, Tree
from tests.unit.hardware.cards import devices, plug
from tests.unit.hardware.trees import plant

# The columns are nvidia_smi.COLUMNS. The values of a row: XuehaiPan/nvitop pull request 208 (GB10), henrygd/beszel
# issue 286 and AlexsJones/llmfit pull request 792 (Jetson Orin, whose GPU has no PCI address).
RTX_4090 = "00000000:01:00.0, NVIDIA GeForce RTX 4090, 550.54.14, 24564, 1234, 17, 45, 61.25, 8.9\n"
GB10 = "0000000F:01:00.0, NVIDIA GB10, 580.173.02, [N/A], [N/A], 0, 35, 11.17, 12.1\n"
ORIN = "[N/A], Orin (nvgpu), 540.4.0, [N/A], [N/A], [N/A], [N/A], [N/A], 8.7\n"


def test_a_card_is_read_with_its_memory_driver_and_architecture() -> None:
    (row,) = parse_rows(RTX_4090)
    assert row.accelerator("pci:0000:01:00.0", "nvidia") == Accelerator(
        id="pci:0000:01:00.0",
        kind="gpu",
        vendor="nvidia",
        name="NVIDIA GeForce RTX 4090",
        driver="nvidia",
        driver_version="550.54.14",
        architecture="sm_89",
        memory_bytes=24564 * 2**20,
        is_integrated=False,
    )
    readings = row.readings("pci:0000:01:00.0")
    assert (readings.busy_ratio, readings.memory_used_bytes) == (0.17, 1234 * 2**20)
    assert (readings.celsius, readings.watts) == (45, 61.25)


def test_a_gpu_on_main_memory_has_no_size_and_is_integrated() -> None:
    (row,) = parse_rows(GB10)
    assert (row.address, row.architecture) == ("000f:01:00.0", "sm_121")
    assert (row.memory_bytes, row.is_integrated, row.watts) == (None, True, 11.17)


def test_columns_are_told_by_a_header_where_there_is_one() -> None:
    # `nvidia-smi --query-gpu=… --format=csv`, the same pull request as GB10's
    (row,) = parse_rows("name, memory.total [MiB], power.draw [W]\nNVIDIA RTX A2000, 6138 MiB, 10.50 W\n")
    assert (row.name, row.memory_bytes, row.watts, row.busy_ratio) == ("NVIDIA RTX A2000", 6138 * 2**20, 10.5, None)


def test_a_driver_without_compute_capability_is_read_all_the_same() -> None:
    (row,) = parse_rows("00000000:0A:00.0, NVIDIA GeForce GTX 1080, 470.182.03, 8192, 5, 0, 30, 8.00\n")
    assert (row.address, row.memory_bytes, row.architecture) == ("0000:0a:00.0", 8192 * 2**20, None)


@pytest.mark.parametrize("text", ["[Unknown Error]", "[GPU requires reset]", "ERR!", "[Insufficient Permissions]"])
def test_an_error_in_place_of_a_value_is_unknown(text: str) -> None:
    (row,) = parse_rows(f"00000000:01:00.0, NVIDIA A100, 535.129.03, {text}, {text}, {text}, {text}, {text}, {text}\n")
    assert (row.memory_bytes, row.is_integrated, row.busy_ratio, row.celsius, row.watts) == (None,) * 5
    assert row.architecture is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No devices were found\n",
        "\x00\x01,,,\n,,,,,,,,\n\x1b[31m",
        "a, b, c, d, e, f, g, h, i\n",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest "
        "NVIDIA driver is installed and running.\n",
    ],
)
def test_what_is_no_table_holds_no_gpu(text: str) -> None:
    assert parse_rows(text) == ()


def test_a_driver_that_was_updated_under_way_asks_for_a_restart() -> None:
    said = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 550.54\n"
    assert "restart the machine" in explain(said)
    assert explain("No devices were found\n") == "nvidia-smi told of no GPU: No devices were found"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\nGCC version\n",
            "535.129.03",
        ),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release Build  (buildbrain)\n",
            "540.4.0",
        ),
        ("NVRM version: none\n", None),
    ],
)
def test_the_driver_says_its_version(text: str, version: str | None) -> None:
    assert nvidia.parse_driver_version(text) == version


def test_the_driver_names_its_gpu() -> None:
    assert nvidia.parse_model("Model: \t\t NVIDIA GeForce RTX 3090\nIRQ:   \t\t 146\n") == "NVIDIA GeForce RTX 3090"


def test_a_card_is_known_from_files_before_the_tool_answers(tmp_path: Path) -> None:
    plug(tmp_path, "0000:01:00.0", "10de:2684", driver="nvidia")
    plant(
        tmp_path,
        {
            "/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22\n",
            "/proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t NVIDIA GeForce RTX 4090\n",
        },
    )
    tree = Tree(tmp_path, Notes())
    (gpu,) = nvidia.probe(tree, devices(tmp_path))
    assert (gpu.name, gpu.driver, gpu.driver_version) == ("NVIDIA GeForce RTX 4090", "nvidia", "550.54.14")
    assert (gpu.memory_bytes, gpu.is_integrated) == (None, None)
    assert nvidia.is_driver_running(tree)


def test_a_card_without_a_driver_says_so(tmp_path: Path) -> None:
    plug(tmp_path, "0000:01:00.0", "10de:2684")
    plant(tmp_path, {"/usr/share/misc/pci.ids": "10de  NVIDIA Corporation\n\t2684  AD102 [GeForce RTX 4090]\n"})
    tree = Tree(tmp_path, Notes())
    (gpu,) = nvidia.probe(tree, devices(tmp_path))
    assert (gpu.driver, gpu.driver_version, gpu.name) == (None, None, "AD102 [GeForce RTX 4090]")
    assert not nvidia.is_driver_running(tree)


def _jetson(root: Path) -> Tree:
    gpu = "/sys/devices/platform/bus@0/17000000.gpu"
    return Tree(
        plant(
            root,
            {
                "/proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0",
                f"{gpu}/load": "425\n",
                "/sys/class/thermal/thermal_zone1/type": "gpu-thermal\n",
                "/sys/class/thermal/thermal_zone1/temp": "51250\n",
                "/commands/nvidia-smi.csv": ORIN,
            },
            {
                "/sys/bus/platform/devices/17000000.gpu": "../../../devices/platform/bus@0/17000000.gpu",
                f"{gpu}/driver": "../../../../bus/platform/drivers/gk20a",
            },
        ),
        Notes(),
    )


def test_jetson_is_known_from_its_device_tree(tmp_path: Path) -> None:
    tree = _jetson(tmp_path)
    (gpu,) = soc.probe(tree)
    assert (gpu.id, gpu.vendor, gpu.name, gpu.driver) == ("platform:17000000.gpu", "nvidia", "Orin", "gk20a")
    assert (gpu.architecture, gpu.is_integrated, gpu.memory_bytes) == ("sm_87", True, None)
    (readings,) = soc.read(tree)
    assert (readings.busy_ratio, readings.celsius) == (0.425, 51.25)


def test_jetsons_tool_and_device_tree_tell_of_one_gpu(tmp_path: Path) -> None:
    (gpu,) = nvidia.probe_by_tool(_jetson(tmp_path))
    assert (gpu.id, gpu.name, gpu.driver_version) == ("platform:17000000.gpu", "Orin (nvgpu)", "540.4.0")
    assert list(nvidia.read_by_tool(_jetson(tmp_path / "again"))) == []

"""Intel's GPUs: in the processor and as cards, with i915 and xe."""

from pathlib import Path

from appliance.hardware.accelerators import intel
from appliance.hardware.files import Notes, Tree
from tests.unit.hardware.cards import devices, plug
from tests.unit.hardware.trees import plant

PCI_IDS = """# head
8086  Intel Corporation
\t4680  AlderLake-S GT1
\t56a0  DG2 [Arc A770]
\t\t8086 1020  subsystem
\te20b  Battlemage G21 [Arc B580]
10de  NVIDIA Corporation
"""


def test_graphics_in_the_processor_are_integrated_and_have_no_memory(tmp_path: Path) -> None:
    plug(tmp_path, "0000:00:02.0", "8086:4680", driver="i915")
    plant(tmp_path, {"/usr/share/hwdata/pci.ids": PCI_IDS})
    (gpu,) = intel.probe(Tree(tmp_path, Notes()), devices(tmp_path))
    assert (gpu.name, gpu.driver, gpu.is_integrated, gpu.memory_bytes) == ("AlderLake-S GT1", "i915", True, None)


def test_a_card_with_intels_own_i915_tells_its_memory(tmp_path: Path) -> None:
    # lmem_total_bytes stands beside the card, not beside its device
    folder = plug(tmp_path, "0000:03:00.0", "8086:56a0", driver="i915")
    plant(
        tmp_path,
        {
            f"{folder}/drm/card1/lmem_total_bytes": "17179869184\n",
            f"{folder}/drm/card1/lmem_avail_bytes": "16179869184\n",
            "/usr/share/misc/pci.ids": PCI_IDS,
        },
    )
    tree = Tree(tmp_path, Notes())
    (gpu,) = intel.probe(tree, devices(tmp_path))
    assert (gpu.name, gpu.is_integrated, gpu.memory_bytes) == ("DG2 [Arc A770]", False, 17179869184)
    (readings,) = intel.read(tree, devices(tmp_path))
    assert readings.memory_used_bytes == 10**9


def test_a_card_with_xe_adds_up_its_tiles(tmp_path: Path) -> None:
    folder = plug(tmp_path, "0000:03:00.0", "8086:e20b", driver="xe")
    plant(tmp_path, {f"{folder}/tile{tile}/physical_vram_size_bytes": "6442450944\n" for tile in (0, 1)})
    (gpu,) = intel.probe(Tree(tmp_path, Notes()), devices(tmp_path))
    assert gpu.memory_bytes == 12 * 2**30


def test_xes_temperature_is_that_of_the_package(tmp_path: Path) -> None:
    folder = plug(tmp_path, "0000:03:00.0", "8086:e20b", driver="xe")
    chip = f"{folder}/hwmon/hwmon4"
    sensors = {f"{chip}/temp2_label": "pkg", f"{chip}/temp2_input": "47000", f"{chip}/temp3_label": "vram"}
    plant(tmp_path, sensors | {f"{chip}/temp3_input": "60000"})
    (readings,) = intel.read(Tree(tmp_path, Notes()), devices(tmp_path))
    assert (readings.celsius, readings.busy_ratio) == (47, None)


def test_graphics_that_show_nothing_have_no_readings(tmp_path: Path) -> None:
    plug(tmp_path, "0000:00:02.0", "8086:4680", driver="i915")
    assert list(intel.read(Tree(tmp_path, Notes()), devices(tmp_path))) == []


def test_an_unknown_card_keeps_no_other_vendors_name(tmp_path: Path) -> None:
    plug(tmp_path, "0000:03:00.0", "8086:ffff")
    plant(tmp_path, {"/usr/share/misc/pci.ids": PCI_IDS + "\tffff  something of NVIDIA\n"})
    (gpu,) = intel.probe(Tree(tmp_path, Notes()), devices(tmp_path))
    assert gpu.name is None

"""What counts as an accelerator, and the child that asks the drivers: its time, its end, what it knew before."""

import fcntl
import os
import sys
from pathlib import Path

import pytest

from appliance.hardware import accelerators
from appliance.hardware.accelerators import ask_for_facts, has_signs, probe_accelerators, read_accelerators
from appliance.hardware.children import run_child
from appliance.hardware.files import Notes
from tests.unit.hardware.cards import devices, plug
from tests.unit.hardware.test_nvidia import RTX_4090
from tests.unit.hardware.trees import plant

DRIVER = {"/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22\n"}


@pytest.mark.parametrize(
    "ids",
    [
        "1af4:1050",
        "1234:1111",
        "15ad:0405",
        "1b36:0100",
        "1a03:2000",
        "102b:0538",
        "1414:5353",
        "1013:00b8",
        "1002:515e",
    ],
)
def test_an_adapter_that_only_shows_a_picture_is_no_accelerator(tmp_path: Path, ids: str) -> None:
    plug(tmp_path, "0000:00:01.0", ids, driver="something")
    assert devices(tmp_path) == ()
    assert not has_signs(tmp_path)


def test_a_network_card_of_a_gpus_vendor_is_no_accelerator(tmp_path: Path) -> None:
    plug(tmp_path, "0000:00:1f.6", "8086:15bc", kind="0x020000", driver="e1000e")
    plug(tmp_path, "0000:01:00.1", "10de:22ba", kind="0x040300", driver="snd_hda_intel")
    assert devices(tmp_path) == ()


def test_a_part_of_a_card_for_a_virtual_machine_is_not_counted_again(tmp_path: Path) -> None:
    plug(tmp_path, "0000:00:02.0", "8086:4680", driver="i915")
    part = plug(tmp_path, "0000:00:02.1", "8086:4680")
    plant(tmp_path, {}, {f"{part}/physfn": "../0000:00:02.0"})
    assert [device.address for device in devices(tmp_path)] == ["0000:00:02.0"]


def test_a_card_that_only_the_graphics_driver_lists_is_found(tmp_path: Path) -> None:
    card = "/sys/class/drm/card0/device"
    ids = {f"{card}/class": "0x030000", f"{card}/vendor": "0x1002", f"{card}/device": "0x744c"}
    plant(tmp_path, ids | {f"{card}/uevent": "DRIVER=amdgpu\nPCI_SLOT_NAME=0000:03:00.0\n"})
    assert [device.id for device in devices(tmp_path)] == ["pci:0000:03:00.0"]


def test_no_child_is_started_where_nothing_hints_at_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(accelerators, "run_child")
    assert probe_accelerators(tmp_path, 5, Notes()) == ()
    assert read_accelerators(tmp_path, 5, Notes()) == ()


def test_the_child_asks_every_vendor(tmp_path: Path) -> None:
    plug(tmp_path, "0000:00:02.0", "8086:4680", driver="i915")
    plug(tmp_path, "0000:01:00.0", "10de:2684", driver="nvidia")
    plug(tmp_path, "0000:03:00.0", "1002:744c", driver="amdgpu", gpu_busy_percent="3")
    plug(tmp_path, "0000:04:00.0", "1e60:2864", kind="0x0b4000")
    plant(tmp_path, DRIVER | {"/commands/nvidia-smi.csv": RTX_4090})
    notes = Notes()
    found = probe_accelerators(tmp_path, 20, notes)
    assert [(item.vendor, item.driver) for item in found] == [
        ("intel", "i915"),
        ("nvidia", "nvidia"),
        ("amd", "amdgpu"),
        ("hailo", None),
    ]
    assert found[1].memory_bytes == 24564 * 2**20
    busy = {item.id: item.busy_ratio for item in read_accelerators(tmp_path, 20, notes)}
    assert busy == {"pci:0000:01:00.0": 0.17, "pci:0000:03:00.0": 0.03}
    assert notes.as_tuple() == ()


def test_garbage_on_the_way_is_left_out() -> None:
    good = '{"type":"began","probe":"nvidia-smi"}'
    assert accelerators.parse_messages(f'\x00{{\n[]\n{good}\n{{"type":"found","acc') == [
        accelerators.Began("nvidia-smi")
    ]


def _tool(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put an `nvidia-smi` on the path, and a driver that seems to run."""
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!{sys.executable}\n{script}")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


# A module of its own, so that the driver seems to run on the machine of the test, which has none.
WITH_DRIVER = """
from pathlib import Path
from appliance.hardware.accelerators import __main__ as child, nvidia
nvidia.is_driver_running = lambda tree: True
child.main("facts", Path("/"))
"""


@pytest.fixture
def seeming_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seeming_driver.py").write_text(WITH_DRIVER)
    monkeypatch.setattr(accelerators, "_MODULE", "seeming_driver")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])]))


def _sleeper(held: Path) -> str:
    """Return a program that holds a lock on a file for as long as it lives."""
    lock = f"import fcntl, time\nheld = open({str(held)!r}, 'w')\nfcntl.flock(held, fcntl.LOCK_EX)\n"
    return lock + "print('it sleeps', flush=True)\ntime.sleep(600)\n"


def _wait_for_its_end(held: Path) -> None:
    with held.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)


@pytest.mark.timeout(30)
@pytest.mark.usefixtures("seeming_driver")
def test_a_tool_that_hangs_is_killed_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = tmp_path / "held"
    _tool(tmp_path, monkeypatch, _sleeper(held))
    notes = Notes()
    assert ask_for_facts(Path("/"), 2, notes) == ()
    assert notes.as_tuple() == ("nvidia-smi did not answer within 2 s: what it knows about accelerators is missing",)
    _wait_for_its_end(held)


@pytest.mark.usefixtures("seeming_driver")
def test_a_tool_that_never_stops_writing_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tool(tmp_path, monkeypatch, "while True: print('\\x00garbage, ' * 100)\n")
    notes = Notes()
    assert ask_for_facts(Path("/"), 20, notes) == ()
    (note,) = notes.as_tuple()
    assert note.startswith("nvidia-smi told of no GPU")


@pytest.mark.usefixtures("seeming_driver")
def test_a_tool_of_an_old_driver_is_asked_for_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What 470 answers: huggingface/candle issue 733
    _tool(
        tmp_path,
        monkeypatch,
        "import sys\n"
        "if 'compute_cap' in sys.argv[1]: sys.exit('Field \"compute_cap\" is not a valid field to query.')\n"
        "print('00000000:01:00.0, NVIDIA GeForce GTX 1080, 470.182.03, 8192, 5, 0, 30, 8.00')\n",
    )
    (gpu,) = ask_for_facts(Path("/"), 20, Notes())
    assert (gpu.name, gpu.architecture) == ("NVIDIA GeForce GTX 1080", None)


def test_a_child_that_fails_becomes_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerators, "_MODULE", "appliance.hardware.no_such_module")
    notes = Notes()
    assert ask_for_facts(tmp_path, 20, notes) == ()
    (note,) = notes.as_tuple()
    assert note.startswith("asking the child process about accelerators failed: ")


@pytest.mark.timeout(30)
def test_a_child_takes_those_that_it_started_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = tmp_path / "held"
    (tmp_path / "sleeper.py").write_text(_sleeper(held))
    (tmp_path / "its_parent.py").write_text(
        "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'sleeper'])\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = run_child("its_parent", [], 2)
    assert (outcome.is_timeout, outcome.output) == (True, "it sleeps\n")
    _wait_for_its_end(held)

"""A captured machine is the machine again when it is laid out, without what names its owner."""

import os
import time
from pathlib import Path

import pytest

from appliance.hardware.capture import capture
from appliance.hardware.fixture import file_section, link_section, unpack
from appliance.hardware.probe import probe
from appliance.hardware.readings import ReadingsProbe
from appliance.hardware.scrub import Scrubber
from tests.unit.hardware.cards import plug
from tests.unit.hardware.machines import NAMES, tree_of
from tests.unit.hardware.trees import plant


def write(root: Path, path: str, text: str) -> Path:
    where = root / path
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(text)
    return where


@pytest.mark.parametrize("name", NAMES)
def test_a_captured_machine_is_the_same_machine(name: str, tmp_path: Path) -> None:
    tool = tree_of(name) / "commands" / "nvidia-smi.csv"
    unpack(capture(tree_of(name), {tool.name: tool.read_text()} if tool.exists() else None).text, tmp_path)
    assert probe(tmp_path) == probe(tree_of(name))
    assert ReadingsProbe(tmp_path).read() == ReadingsProbe(tree_of(name)).read()


def test_of_the_lists_of_names_only_the_lines_of_this_machine_are_captured(tmp_path: Path) -> None:
    plug(tmp_path, "0000:03:00.0", "1002:744c", driver="amdgpu", revision="0xc8")
    plug(tmp_path, "0000:0f:00.0", "1002:13c0", driver="amdgpu")
    plug(tmp_path, "0000:05:00.0", "8086:56a0", driver="xe")
    write(tmp_path, "usr/share/libdrm/amdgpu.ids", "1.0.0\n744C,\tC8,\tAMD Radeon RX 7900 XTX\n7550,\tC0,\tAnother\n")
    write(
        tmp_path,
        "usr/share/hwdata/pci.ids",
        "1002  AMD\n\t13c0  Granite Ridge\n\t744c  Navi 31\n\t7550  Another\n10de  NVIDIA\n8086  Intel\n\t56a0  DG2\n",
    )

    text = capture(tmp_path).text

    assert text.endswith("==> usr/share/libdrm/amdgpu.ids <==\n744C,\tC8,\tAMD Radeon RX 7900 XTX\n")
    assert "Another" not in text and "NVIDIA" not in text
    unpack(text, tmp_path / "again")
    assert [one.name for one in probe(tmp_path / "again").accelerators] == [
        "AMD Radeon RX 7900 XTX",
        "DG2",
        "Granite Ridge",
    ]


def test_the_files_of_drivers_are_captured_with_the_links_that_name_them(tmp_path: Path) -> None:
    """Each of these is read by a probe, but not on every machine whose tree is kept here."""
    xe = plug(tmp_path, "0000:05:00.0", "8086:56a0", driver="xe")
    write(tmp_path, f"{xe[1:]}/tile0/physical_vram_size_bytes", "17179869184\n")
    npu = plug(tmp_path, "0000:c6:00.1", "1022:17f0", kind="0x118000", driver="amdxdna", vbnv="NPU Strix")
    plant(tmp_path, {}, {"/sys/class/accel/accel0/device": f"../../..{npu.removeprefix('/sys')}"})
    virtual = plug(tmp_path, "0000:05:00.1", "8086:56a0")
    plant(tmp_path, {}, {f"{virtual}/physfn": "../0000:05:00.0"})
    node = "/sys/devices/platform/fdab0000.npu"
    plant(
        tmp_path,
        {"/proc/device-tree/compatible": "rockchip,rk3588\0", f"{node}/uevent": "DRIVER=RKNPU\n"},
        {
            "/sys/bus/platform/devices/fdab0000.npu": "../../../devices/platform/fdab0000.npu",
            f"{node}/driver": "../../../bus/platform/drivers/RKNPU",
        },
    )
    write(tmp_path, "sys/class/thermal/cooling_device0/type", "cpufreq-cpu0\n")
    write(tmp_path, "sys/class/thermal/cooling_device0/cur_state", "2\n")
    write(tmp_path, "sys/class/hwmon/hwmon5/name", "soctherm_oc\n")
    write(tmp_path, "sys/class/hwmon/hwmon5/oc1_event_cnt", "3\n")
    gpus = "proc/driver/nvidia/gpus/0000:01:00.0/information"
    write(tmp_path, gpus, "Model: \t A Card\nGPU UUID: \t GPU-c7b57be0-94ff-d352-a59b-d0ee00aeed43\n")

    text = capture(tmp_path).text
    unpack(text, tmp_path / "again")

    assert "c7b57be0" not in text and "Model: \t A Card" in text
    assert probe(tmp_path / "again").accelerators == probe(tmp_path).accelerators
    assert len(probe(tmp_path).accelerators) == 3, "a card, two NPUs, and not the card's virtual function"
    before = ReadingsProbe(tmp_path).read()
    assert ReadingsProbe(tmp_path / "again").read().throttling == before.throttling
    assert len(before.throttling) == 2


def test_names_of_people_machines_and_networks_are_taken_out(tmp_path: Path) -> None:
    write(tmp_path, "proc/sys/kernel/hostname", "alices-box\n")
    write(tmp_path, "proc/cpuinfo", "processor\t: 0\nSerial\t\t: 10000000afbf721a\nModel\t\t: A Board\n")
    group = "/docker/" + "4f89d311cb7a8b92" * 4
    write(tmp_path, "proc/self/cgroup", f"0::{group}\n")
    write(tmp_path, f"sys/fs/cgroup{group}/cpu.max", "100000 100000\n")
    write(tmp_path, "etc/os-release", "NAME=alices-box at 192.168.17.4, fe80::1c2d:3eff:fe4f:5a6b, d8:3a:dd:c0:ac:df\n")
    write(tmp_path, "usr/lib/os-release", 'HOME_URL="https://alices-firm.example/support"\n')
    write(tmp_path, "proc/self/mountinfo", "1 2 8:1 / /home/alice/disk rw - ext4 /dev/sda1 rw,secret=1\n")
    write(tmp_path, "proc/driver/nvidia/version", "GPU-c7b57be0-94ff-d352-a59b-d0ee00aeed43\n")

    captured = capture(tmp_path)

    for secret in (
        "alice",
        "example",
        "10000000afbf721a",
        "4f89d311",
        "192.168",
        "1c2d",
        "d8:3a",
        "c7b57be0",
        "secret",
    ):
        assert secret not in captured.text
    assert captured.num_removed == {
        "serial numbers": 1,
        "host names": 1,
        "ids": 1,
        "network addresses": 2,
        "hardware addresses": 1,
        "web addresses": 1,
        "UUIDs": 1,
        "names of folders": 1,
    }
    assert "A Board" in captured.text
    out = tmp_path / "again"
    unpack(captured.text, out)
    # The group is still the one that the limits belong to.
    assert probe(out).processor.quota_cores == 1


def test_what_only_looks_like_a_name_stays() -> None:
    kept = "0000:01:00.0 6.6.87.2-microsoft 550.54.14 ffffffffffffffff 262143328850 Cortex-A76 0x2b000181 4:0:0:0"
    scrubber = Scrubber(("linux", "abc"))
    assert scrubber.scrub(kept + " linux abc") == kept + " linux abc"
    assert scrubber.num_removed == {}


def test_pipes_devices_binaries_and_huge_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    os.mkfifo(tmp_path / "proc" / "stat")
    (tmp_path / "proc" / "loadavg").write_bytes(bytes(range(256)))
    write(tmp_path, "proc/swaps", "Filename\n" + "x" * 10**6)
    write(tmp_path, "proc/meminfo", "MemTotal: 1024 kB\n")
    (tmp_path / "etc").symlink_to("/etc")

    text = capture(tmp_path).text

    assert "==> proc/meminfo <==\nMemTotal: 1024 kB\n" in text
    assert "proc/stat" not in text
    assert "proc/loadavg" not in text
    assert len(text) < 100_000
    assert "os-release" not in text  # a link leads nowhere but into the tree


def test_this_machine_is_captured_at_once_by_anybody() -> None:
    started_s = time.monotonic()
    captured = capture()
    assert time.monotonic() - started_s < 2
    assert "==> proc/cpuinfo <==" in captured.text


def test_text_that_looks_like_a_section_survives(tmp_path: Path) -> None:
    odd = "==> a <==\n\\==> b <==\nmodel\0compatible\0"
    unpack("# a comment\n" + file_section("x/odd", odd) + file_section("empty", ""), tmp_path)
    assert (tmp_path / "x" / "odd").read_text() == odd
    assert (tmp_path / "empty").read_text() == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "x"]


def test_sections_repeat_and_join(tmp_path: Path) -> None:
    unpack("==> cpu{n}/core for n in 0..3 <==\n{n//2} {n%2*4+1}\n==> info for n in 2..3 <==\ncpu {n}\n", tmp_path)
    assert [(tmp_path / f"cpu{n}" / "core").read_text() for n in range(4)] == ["0 1\n", "0 5\n", "1 1\n", "1 5\n"]
    assert (tmp_path / "info").read_text() == "cpu 2\ncpu 3\n"


def test_links_and_empty_folders_are_laid_out(tmp_path: Path) -> None:
    unpack(link_section("a/link", "../b") + "==> b/ <==\n", tmp_path)
    assert (tmp_path / "a" / "link").resolve() == tmp_path / "b"
    assert (tmp_path / "b").is_dir()


@pytest.mark.parametrize(
    "text",
    [
        "==> /etc/passwd <==\nx\n",
        "==> ../up <==\nx\n",
        "==> out -> / <==\n==> out/file <==\nx\n",
        "==> file -> /tmp/target <==\n==> file <==\nx\n",
        "==> many for n in 0..9999999 <==\nx\n",
    ],
)
def test_a_fixture_cannot_write_outside_its_folder(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"leads out|is a link|too often"):
        unpack(text, tmp_path)

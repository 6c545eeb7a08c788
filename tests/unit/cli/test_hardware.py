"""What `appliance hardware` shows, and what it writes for a bug report."""

from pathlib import Path

import msgspec
import pytest

from appliance.cli.hardware_text import summary
from appliance.core.hardware import Bandwidth, Hardware
from appliance.hardware.fixture import unpack
from appliance.hardware.probe import probe
from appliance.hardware.readings import ReadingsProbe
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon
from tests.unit.hardware.machines import NAMES, tree_of

HARDWARE = "/admin/v1/hardware"


def machine(name: str, bandwidth: Bandwidth | None = None) -> Hardware:
    root = tree_of(name)
    return Hardware(snapshot=probe(root), readings=ReadingsProbe(root).read(), bandwidth=bandwidth)


def text(name: str) -> str:
    return "\n".join(summary(machine(name)))


def test_a_machine_is_shown_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert summary(machine("raspberry-pi-5", Bandwidth(read_bytes_per_s=12.3e9, num_threads=4))) == [
        "Processor",
        "  model           Cortex-A76 (aarch64)",
        "  cores           4; a model runs on 4",
        "  instructions    NEON FP16 dotprod",
        "  clock           up to 2.40 GHz, governor ondemand",
        "  caches          L1 4 × 64 KiB, L2 4 × 512 KiB, L3 2 MiB",
        "",
        "Memory",
        "  size            7.9 GiB",
        "  available       7.2 GiB",
        "  swap            100.0 MiB, 0 B used",
        "  bandwidth       12.3 GB/s read by 4 threads",
        "",
        "Accelerators",
        "  none was found",
        "",
        "Storage",
        "  nvme0n1         NVMe, 465.8 GiB, WD_BLACK SN770 500GB, at / /boot/firmware",
        "",
        "System",
        "  board           Raspberry Pi 5 Model B Rev 1.0",
        "  system          Debian GNU/Linux 12 (bookworm), kernel 6.6.31+rpt-rpi-2712",
        "",
        "Now",
        "  processor       load 0.42 in the last minute, clock 1.50 GHz",
        "  temperature     CPU 71 °C",
        "  throttled       yes: the supply's voltage is too low; the clock is held down",
    ]


@pytest.mark.parametrize("columns", [60, 80, 110])
def test_no_line_is_wider_than_the_terminal_and_no_number_stands_without_its_unit(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = [line for name in NAMES for line in summary(machine(name))]
    assert max(map(len, lines)) <= columns
    assert not [line for line in lines if line.strip() in ("MiB", "GiB", "12 MiB", "8", "10")]


def test_accelerators_are_shown_with_what_they_do() -> None:
    lines = text("rtx-workstation")
    assert "  GPU             NVIDIA GeForce RTX 3090, 24.0 GiB, sm_86, driver nvidia 550.120\n" in lines
    assert "                  3% busy, 431.0 MiB used, 41 °C, 28 W\n" in lines


def test_what_decides_the_speed_is_said() -> None:
    assert "AVX; without AVX2 FMA" in text("sandy-bridge-laptop")
    assert "12 (8 performance, 4 efficiency), 20 threads; a model runs on 8" in text("alder-lake-desktop")
    assert "2 × Intel(R) Xeon(R) Platinum 8480+" in text("xeon-sapphire-rapids")
    assert "NUMA node 1     126.0 GiB, 112 threads" in text("xeon-sapphire-rapids")
    assert "of which a quota pays for 2.5" in text("container-v2")
    assert "limit of this process's control group; the machine has 32.0 GiB" in text("container-v2")
    assert "on battery, battery at 63%" in text("sandy-bridge-laptop")


def test_what_could_not_be_told_stands_under_notes() -> None:
    lines = summary(machine("arm-board"))
    assert "share a core" in " ".join(lines[lines.index("Notes") :])


def test_this_machine_is_shown_without_a_daemon(run: Command) -> None:
    result = run("hardware")
    assert result.code == 0
    assert result.out.startswith("Processor\n")
    told = run("hardware", "--json").json
    assert msgspec.convert(told, Hardware).snapshot == probe()
    assert isinstance(told, dict)
    features = told["snapshot"]["processor"]["features"]
    assert features == sorted(features)


def test_a_daemon_that_was_named_is_asked_for_its_machine(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", HARDWARE, machine("raspberry-pi-4"))
    assert "Raspberry Pi 4 Model B Rev 1.4" in appliance("hardware").out
    measured = machine("raspberry-pi-4", Bandwidth(read_bytes_per_s=5e9, num_threads=4))
    daemon.reply("GET", f"{HARDWARE}?bandwidth=true", measured)
    assert msgspec.json.decode(appliance("hardware", "--bandwidth", "--json").out, type=Hardware) == measured


def test_a_capture_is_this_machine_again_and_says_what_it_left_out(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "machine.txt"
    result = run("hardware", "--capture", str(file))
    assert (result.code, result.out) == (0, "")
    assert "taken out:" in result.err
    unpack(file.read_text(), tmp_path / "tree")
    assert probe(tmp_path / "tree").processor.model == probe().processor.model


def test_a_capture_goes_to_the_output_too(run: Command) -> None:
    assert "==> proc/cpuinfo <==" in run("hardware", "--capture", "-").out


def test_a_capture_overwrites_nothing(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("mine")
    result = run("hardware", "--capture", str(file))
    assert result.code == 4
    assert "is there already" in result.err
    assert file.read_text() == "mine"


def test_a_capture_is_of_the_machine_that_it_runs_on(appliance: Command, run: Command) -> None:
    assert "leave out APPLIANCE_URL" in appliance("hardware", "--capture", "-").err
    assert run("hardware", "--capture", "-", "--json").code == 2

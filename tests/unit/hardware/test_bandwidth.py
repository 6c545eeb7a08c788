"""The measurement of main memory: how much it reads, when it refuses, and that the daemon stays clean."""

import subprocess
import sys
from pathlib import Path

import pytest

from appliance.errors import ApplianceError, DoesNotFit
from appliance.hardware import bandwidth
from appliance.hardware.bandwidth import buffer_size, last_level_cache_bytes, measure_bandwidth
from tests.unit.hardware.trees import plant

GIB = 2**30
MIB = 2**20


def test_memory_is_read_at_a_plausible_speed() -> None:
    measured = measure_bandwidth(2)
    assert measured.num_threads == 2
    assert 0.2e9 < measured.read_bytes_per_s < 5e12


def test_the_daemon_never_imports_numpy_for_it() -> None:
    program = "import sys, appliance.hardware.bandwidth, appliance.hardware.readings; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("cache_bytes", "available_bytes", "expected_bytes"),
    [
        (0, 16 * GIB, 128 * MIB),  # caches unknown
        (32 * MIB, 16 * GIB, 256 * MIB),  # eight times the cache
        (768 * MIB, 512 * GIB, 2 * GIB),  # no more than two gigabytes
        (1536 * MIB, 512 * GIB, 3 * GIB),  # but twice the cache at least
        (32 * MIB, 800 * MIB, 200 * MIB),  # no more than a quarter of what is free
    ],
)
def test_it_reads_more_than_the_cache_and_less_than_what_is_free(
    cache_bytes: int, available_bytes: int, expected_bytes: int
) -> None:
    assert buffer_size(cache_bytes, available_bytes) == expected_bytes


def test_it_refuses_where_memory_is_short() -> None:
    with pytest.raises(DoesNotFit, match="needs 512 MiB free, 300 MiB are; unload a model"):
        buffer_size(0, 300 * MIB)


def test_the_cache_of_every_cluster_counts_once(tmp_path: Path) -> None:
    files = {"/sys/devices/system/cpu/online": "0-3\n"}
    for cpu, (sharing, size) in enumerate([("0-1", "32768K"), ("0-1", "32768K"), ("2-3", "98304K"), ("2-3", "98304K")]):
        folder = f"/sys/devices/system/cpu/cpu{cpu}/cache"
        entries = {"index2": ("2", "1024K", str(cpu)), "index3": ("3", size, sharing)}
        for index, values in entries.items():
            names = ("level", "size", "shared_cpu_list")
            files |= {f"{folder}/{index}/{name}": f"{value}\n" for name, value in zip(names, values, strict=True)}
            files[f"{folder}/{index}/type"] = "Unified\n"
    assert last_level_cache_bytes(plant(tmp_path, files)) == (32 + 96) * MIB


def test_a_measurement_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bandwidth, "_MODULE", "appliance.hardware.no_such_module")
    with pytest.raises(ApplianceError, match=r"the memory measurement failed: .*no_such_module"):
        measure_bandwidth(1)


def test_a_measurement_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sleeper.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(bandwidth, "_MODULE", "sleeper")
    monkeypatch.setattr(bandwidth, "_TIMEOUT_S", 0.3)
    with pytest.raises(ApplianceError, match="the machine is overloaded"):
        measure_bandwidth(1)

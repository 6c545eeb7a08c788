"""The probes read trees that stand in for `/`: one captured, the others reconstructed (see their README)."""

from pathlib import Path

import pytest

from appliance.hardware.cgroup import read_limits
from appliance.hardware.cpu import parse_allowed_cpus
from appliance.hardware.memory import memory_available_bytes, memory_total_bytes
from appliance.hardware.probe import cpu_busy_ratio, probe

TREES = Path(__file__).parents[2] / "data" / "hardware"
KIB, GIB = 1024, 2**30


def test_a_virtual_machine_with_version_1_groups_without_limits() -> None:
    snapshot = probe(TREES / "epyc-vm")
    assert snapshot.cpu_model == "AMD EPYC"
    assert {"avx512_vnni", "avx512_bf16"} <= snapshot.cpu_features
    assert (snapshot.logical_cores, snapshot.physical_cores, snapshot.usable_cores) == (2, 2, 2)
    assert snapshot.memory_total_bytes == 24_684_100 * KIB
    assert snapshot.notes == ()
    assert memory_available_bytes(TREES / "epyc-vm") == 24_057_440 * KIB


def test_threads_of_one_core_count_once_and_the_quota_of_a_parent_group_counts() -> None:
    snapshot = probe(TREES / "container-v2")
    assert (snapshot.logical_cores, snapshot.physical_cores) == (8, 4)
    # Six of eight threads are allowed, on four cores; the parent's quota pays for 2.5 of them.
    assert snapshot.usable_cores == 2
    assert snapshot.memory_total_bytes == 4 * GIB


def test_the_file_cache_of_a_group_is_not_in_the_way() -> None:
    # Of a limit of 4 GiB, 3 GiB are used; 1 GiB of them is cached files.
    assert memory_available_bytes(TREES / "container-v2") == 2 * GIB


def test_version_1_limits_are_found_at_the_mount_when_the_path_is_the_hosts() -> None:
    limits = read_limits(TREES / "container-v1")
    assert limits.quota_cores == 1.5
    assert limits.memory_limit_bytes == 2 * GIB
    assert limits.memory_headroom_bytes == GIB


def test_a_processor_that_does_not_name_its_cores_has_one_for_each_thread_and_a_note() -> None:
    snapshot = probe(TREES / "arm-board")
    assert snapshot.cpu_features >= {"asimddp", "asimdhp"}
    assert (snapshot.cpu_model, snapshot.physical_cores, snapshot.usable_cores) == (None, None, 4)
    assert any("share a core" in note for note in snapshot.notes)


def test_a_machine_without_proc_is_still_described(tmp_path: Path) -> None:
    snapshot = probe(tmp_path)
    assert snapshot.usable_cores >= 1
    assert snapshot.memory_total_bytes > 0
    assert len(snapshot.notes) == 2
    assert memory_total_bytes(tmp_path) >= memory_available_bytes(tmp_path) > 0


@pytest.mark.parametrize(("text", "cpus"), [("0", {0}), ("0-2,5", {0, 1, 2, 5}), ("3,7-8", {3, 7, 8})])
def test_lists_of_processors_are_read(text: str, cpus: set[int]) -> None:
    assert parse_allowed_cpus(f"Name:\tx\nCpus_allowed_list:\t{text}\n") == cpus


def test_the_busy_ratio_is_a_ratio() -> None:
    assert 0 <= cpu_busy_ratio() <= 1

"""How much disk kept prefixes may take, and how much may be written to it."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from appliance.caches.kv_disk import KvDisk
from appliance.caches.kv_folder import KvFolder
from appliance.caches.kv_limits import disk_budget_bytes, disk_of, share_bytes, write_limit_bytes
from appliance.core.hardware import Disk
from appliance.core.plan import SnapshotTiers
from appliance.settings import KvSettings

GIB = 2**30
SSD = Disk(name="sda", kind="ssd", model=None, size_bytes=None, mounts=("/", "/srv"))
CARD = Disk(name="mmcblk0", kind="sd_card", model=None, size_bytes=None, mounts=("/boot", "/srv/models"))
TIERS = SnapshotTiers(memory_bytes=5)


def test_the_budget_is_a_tenth_of_the_free_space_and_sixteen_gib_at_most_unless_it_is_set() -> None:
    assert disk_budget_bytes(None, 50 * GIB, 0) == 5 * GIB
    assert disk_budget_bytes(None, 500 * GIB, 0) == 16 * GIB
    assert disk_budget_bytes(20 * GIB, GIB, 0) == 20 * GIB
    assert disk_budget_bytes(0, 50 * GIB, 0) == 0


def test_what_is_kept_already_does_not_shrink_the_budget() -> None:
    assert disk_budget_bytes(None, 45 * GIB, 5 * GIB) == 5 * GIB


def test_a_model_may_take_what_other_loaded_models_leave() -> None:
    assert share_bytes(10, []) == 10
    assert share_bytes(10, [3, 4]) == 3
    assert share_bytes(10, [30]) == 0


@pytest.mark.parametrize(
    ("folder", "disk"), [("/srv/models/x", CARD), ("/srv/modelsx", SSD), ("/home", SSD), ("/boot", CARD)]
)
def test_a_folder_lies_on_the_disk_with_the_deepest_mount_above_it(folder: str, disk: Disk) -> None:
    assert disk_of(Path(folder), (SSD, CARD)) is disk


def test_only_cards_have_a_limit_of_their_own() -> None:
    assert write_limit_bytes(None, Path("/home"), (SSD, CARD)) is None
    assert write_limit_bytes(None, Path("/srv/models"), (SSD, CARD)) == 4 * GIB
    assert write_limit_bytes(None, Path("/"), (replace(SSD, kind="emmc"),)) == 4 * GIB
    assert write_limit_bytes(None, Path("/home"), ()) is None
    assert write_limit_bytes(7, Path("/srv/models"), (CARD,)) == 7
    assert write_limit_bytes(0, Path("/home"), (SSD,)) == 0


def test_a_models_place_is_its_fingerprints_folder_with_what_others_leave(tmp_path: Path) -> None:
    other = KvFolder(tmp_path / "kv" / "other")
    num_bytes = other.write(b"k" * 16, b"r" * 16, 0, np.zeros(4, np.int32), "layout", [memoryview(b"bytes")])
    disk = KvDisk(tmp_path, KvSettings(disk_bytes=1000, max_written_bytes_per_day=9), ())
    place = disk.place(TIERS, "mine", ["other", "mine", "other"])
    assert place == SnapshotTiers(
        memory_bytes=5, folder=str(tmp_path / "kv" / "mine"), disk_bytes=1000 - num_bytes, max_written_bytes_per_day=9
    )
    other.close()
    assert disk.place(TIERS, "other", ["other"]).disk_bytes == 1000
    assert disk.place(TIERS, "mine", []).disk_bytes == 1000


def test_no_bytes_on_disk_means_no_folder(tmp_path: Path) -> None:
    assert KvDisk(tmp_path, KvSettings(disk_bytes=0), ()).place(TIERS, "mine", []) == TIERS

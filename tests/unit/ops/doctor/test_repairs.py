"""What `--fix` does, and what it refuses to do."""

from pathlib import Path

import pytest

from appliance.core.doctor import Repair
from appliance.errors import Conflict
from appliance.ops.doctor.repairs import carry_out, describe


def test_a_mode_is_set(tmp_path: Path) -> None:
    (tmp_path / "keys").touch()
    carry_out(Repair(kind="set_mode", path=str(tmp_path / "keys"), mode=0o600), tmp_path)

    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "a" / "home"
    carry_out(Repair(kind="make_folder", path=str(home), mode=0o700), home)

    assert home.stat().st_mode & 0o777 == 0o700


def test_what_a_daemon_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    left = tmp_path / "run" / "daemon.json"
    left.touch()
    carry_out(Repair(kind="remove_file", path=str(left)), tmp_path)

    assert not left.exists()


@pytest.mark.parametrize("name", ["keys", "models/blobs/sha256-1", "run/daemon.lock"])
def test_data_is_never_removed(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()

    with pytest.raises(Conflict, match="left as it is"):
        carry_out(Repair(kind="remove_file", path=str(file)), tmp_path)
    assert file.exists()


def test_nothing_outside_the_state_folder_is_touched(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.touch(mode=0o644)
    home = tmp_path / "home"
    home.mkdir()
    (home / "keys").symlink_to(outside)

    for path in (outside, home / "keys", home / ".." / "outside"):
        with pytest.raises(Conflict):
            carry_out(Repair(kind="set_mode", path=str(path), mode=0o600), home)
    assert outside.stat().st_mode & 0o777 == 0o644


def test_a_change_is_described_before_it_is_made() -> None:
    assert describe(Repair(kind="set_mode", path="/h/keys", mode=0o600)) == "set the mode of /h/keys to 600"
    assert describe(Repair(kind="make_folder", path="/h")) == "make the folder /h"
    assert describe(Repair(kind="remove_file", path="/h/run/x")) == "remove /h/run/x"

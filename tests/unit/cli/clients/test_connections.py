"""What was in a client's file comes back, byte for byte."""

from pathlib import Path

import pytest

from appliance.cli.clients.connections import ChangedSince, Connections


@pytest.fixture
def connections(tmp_path: Path) -> Connections:
    return Connections(tmp_path / "home")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "settings.json"
    path.write_bytes(b'{"mine": "\xc3\xa4"}\r\n')
    path.chmod(0o640)
    return path


def undone(connections: Connections, *, is_forced: bool = False) -> bool:
    return connections.undo("zed", is_forced=is_forced) is not None


def test_undo_restores_the_bytes_and_keeps_the_mode(connections: Connections, file: Path) -> None:
    before = file.read_bytes()
    written = connections.write("zed", file, "ours", None)

    assert file.read_text() == "ours" and file.stat().st_mode & 0o777 == 0o640
    assert written.backup is not None and written.backup.read_bytes() == before
    assert written.backup.stat().st_mode & 0o077 == 0, "a backup may hold a key"
    assert undone(connections) and file.read_bytes() == before
    assert not undone(connections)


def test_a_file_that_was_not_there_goes_with_its_folder(connections: Connections, tmp_path: Path) -> None:
    path = tmp_path / "config" / "settings.json"
    assert connections.write("zed", path, "ours", None).backup is None
    assert path.stat().st_mode & 0o777 == 0o600

    assert undone(connections) and not path.parent.exists()


def test_writing_again_still_goes_back_to_what_was_there_first(connections: Connections, file: Path) -> None:
    before = file.read_bytes()
    first = connections.write("zed", file, "ours", None)
    second = connections.write("zed", file, "ours again", None)

    assert first.backup == second.backup
    assert undone(connections) and file.read_bytes() == before and not undone(connections)


def test_what_a_person_changed_in_between_is_never_lost(connections: Connections, file: Path) -> None:
    before = file.read_bytes()
    connections.write("zed", file, "ours", None)
    file.write_text("ours, and mine")
    with pytest.raises(ChangedSince):
        undone(connections)
    assert file.read_text() == "ours, and mine"

    connections.write("zed", file, "ours again", None)
    assert undone(connections) and file.read_text() == "ours, and mine"
    assert undone(connections, is_forced=True) and file.read_bytes() == before
    kept = [path.read_text(errors="replace") for path in (file.parent / "home").rglob("*.before")]
    assert "ours, and mine" in kept


def test_a_link_stays_a_link(connections: Connections, file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(file)
    connections.write("zed", link, "ours", None)
    assert link.is_symlink() and file.read_text() == "ours"


def test_a_write_that_fails_leaves_the_file_and_no_rubbish(connections: Connections, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError):
        connections.write("zed", folder, "ours", None)
    assert list(folder.iterdir()) == []

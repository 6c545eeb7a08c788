"""A folder of blocks keeps exactly what was written to it, through crashes and damage, for one process at a time."""

import logging
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.caches import kv_file
from appliance.caches.folder_lock import FolderLock, read_state
from appliance.caches.kv_folder import FolderInUse, KvFolder

ROOT = b"r" * 16
PARTS = (b"keys" * 100, b"", b"values" * 50)
RANDOM = (np.random.default_rng(0).bytes(3000),)
DAY_S = 86_400
MUCH_BYTES = 2**40


def key(number: int) -> bytes:
    return bytes([number]) * 16


def put(
    folder: KvFolder, number: int = 1, parent: bytes = ROOT, start: int = 0, parts: tuple[bytes, ...] = PARTS
) -> int:
    tokens = np.arange(start, start + 4, dtype=np.int32)
    return folder.write(key(number), parent, start, tokens, "layout/1", [memoryview(part) for part in parts])


def contents(folder: KvFolder, number: int) -> list[bytes] | None:
    parts = folder.read(key(number))
    return None if parts is None else [bytes(part) for part in parts]


def files(path: Path) -> set[str]:
    return {file.name for file in path.iterdir()} - {"lock"}


def dropped(log: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in log.records if "dropped" in record.getMessage()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kv" / "name"


class Opener:
    """Opens the folder, as one process after another would."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder: KvFolder | None = None

    def __call__(self) -> KvFolder:
        self.close()
        self.folder = KvFolder(self.path, MUCH_BYTES, patience_s=0)
        return self.folder

    def close(self) -> None:
        if self.folder is not None:
            self.folder.close()
        self.folder = None


@pytest.fixture
def reopen(path: Path) -> Iterator[Opener]:
    opener = Opener(path)
    yield opener
    opener.close()


@pytest.fixture
def folder(reopen: Opener) -> KvFolder:
    return reopen()


@pytest.mark.parametrize("parts", [PARTS, RANDOM, ()])
def test_the_next_process_finds_every_block_with_all_that_was_said_of_it(
    folder: KvFolder, reopen: Opener, path: Path, parts: tuple[bytes, ...]
) -> None:
    num_bytes = put(folder, parts=parts)
    (block,) = reopen().scan()
    assert (block.key, block.parent, block.start, block.end) == (key(1), ROOT, 0, 4)
    assert (block.tokens.tolist(), block.tokens.dtype, block.layout) == ([0, 1, 2, 3], np.int32, "layout/1")
    assert block.num_bytes == num_bytes == (path / kv_file.file_name(key(1))).stat().st_size
    assert contents(folder, 1) == list(parts)


def test_a_folder_is_its_users_alone(folder: KvFolder, path: Path) -> None:
    put(folder)
    assert path.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in path.iterdir()} == {0o600}


def test_what_was_read_stays_when_the_file_goes_and_cannot_be_changed(folder: KvFolder) -> None:
    put(folder, parts=RANDOM)
    parts = folder.read(key(1))
    folder.remove(key(1))
    assert parts is not None
    assert parts[0] == RANDOM[0]
    assert parts[0].readonly


def test_parents_come_before_their_children(folder: KvFolder, reopen: Opener) -> None:
    put(folder, 9)
    put(folder, 5, key(9), 4)
    put(folder, 1, key(5), 8)
    put(folder, 2, key(5), 8)
    assert [block.key[0] for block in reopen().scan()] == [9, 5, 1, 2]


def test_a_block_whose_parent_went_is_dropped_with_all_that_follow(
    folder: KvFolder, reopen: Opener, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(folder, 1)
    put(folder, 2, key(1), 4)
    put(folder, 3, key(2), 8)
    put(folder, 4)
    folder.remove(key(1))
    assert [block.key for block in reopen().scan()] == [key(4)]
    assert files(path) == {kv_file.file_name(key(4))}
    assert len(dropped(caplog)) == 2


def test_a_block_that_does_not_begin_where_its_parent_ends_is_dropped(
    folder: KvFolder, caplog: pytest.LogCaptureFixture
) -> None:
    put(folder, 1)
    put(folder, 2, key(1), 5)
    assert [block.key for block in folder.scan()] == [key(1)]
    assert len(dropped(caplog)) == 1


def test_a_block_without_its_parent_is_not_written(folder: KvFolder, path: Path) -> None:
    assert put(folder, 2, key(1), 4) == 0
    assert not files(path)


def test_blocks_of_another_layout_are_data_like_any_other(folder: KvFolder, reopen: Opener) -> None:
    folder.write(key(1), ROOT, 0, np.arange(3, dtype=np.int32), "of the future", [memoryview(b"x")])
    assert [block.layout for block in reopen().scan()] == ["of the future"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("parts", [PARTS, RANDOM], ids=["compressed", "raw"])
def test_no_damaged_byte_goes_unnoticed(
    folder: KvFolder, path: Path, parts: tuple[bytes, ...], data: st.DataObject
) -> None:
    file = path / kv_file.file_name(key(1))
    put(folder, parts=parts)
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    assert folder.read(key(1)) is None
    assert not file.exists()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_file_of_another_length_is_found_by_its_header_alone(
    folder: KvFolder, path: Path, data: st.DataObject
) -> None:
    file = path / kv_file.file_name(key(1))
    put(folder)
    content = file.read_bytes()
    length = data.draw(st.integers(0, len(content) + 9).filter(lambda length: length != len(content)))
    file.write_bytes((content + b"too much.")[:length])
    assert folder.scan() == []
    assert not file.exists()


def test_a_missing_block_is_none_with_one_line_in_the_log(folder: KvFolder, caplog: pytest.LogCaptureFixture) -> None:
    assert folder.read(key(1)) is None
    assert len(dropped(caplog)) == 1


@pytest.mark.parametrize("what", ["version", "name", "text"])
def test_what_is_not_known_is_dropped_with_its_reason(
    folder: KvFolder, path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    put(folder)
    file = path / kv_file.file_name(key(1))
    if what == "version":
        content = bytearray(file.read_bytes())
        content[8] += 1
        file.write_bytes(content)
    elif what == "name":
        file.rename(path / kv_file.file_name(key(2)))
    else:
        file.write_bytes(b"text" * 100)
    assert folder.scan() == []
    (line,) = dropped(caplog)
    assert {"version": "version 2", "name": "the name of another", "text": "no file of this kind"}[what] in line
    assert not files(path)


def test_what_others_put_into_the_folder_is_left_alone(folder: KvFolder, path: Path) -> None:
    (path / "notes.txt").write_text("mine")
    assert folder.scan() == []
    assert files(path) == {"notes.txt"}


def test_a_process_that_is_killed_while_it_writes_leaves_nothing(
    reopen: Opener, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; import numpy as np;"
        "from appliance.caches.kv_folder import KvFolder; folder = KvFolder(Path(sys.argv[1]));"
        "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL);"
        "folder.write(b'k' * 16, b'r' * 16, 0, np.zeros(4, np.int32), 'layout', [memoryview(b'bytes')])"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == -9
    assert [Path(name).suffix for name in files(path)] == [".partial"]
    assert reopen().scan() == []
    assert not files(path)
    assert "it was not finished" in dropped(caplog)[0]


def test_a_disk_that_takes_no_more_is_an_error_that_leaves_nothing(folder: KvFolder, path: Path) -> None:
    put(folder, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # part of the file is written, then no more
    try:
        with pytest.raises(OSError, match="large"):
            put(folder, 2, parts=RANDOM)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files(path) == {kv_file.file_name(key(1))}
    assert put(folder, 3, key(2), 4) == 0


def test_a_disk_that_takes_a_little_at_a_time_gets_all(folder: KvFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write_many = os.writev
    monkeypatch.setattr(os, "writev", lambda descriptor, buffers: write_many(descriptor, [buffers[0][:1000]]))
    put(folder, parts=(*RANDOM, b"", b"end"))
    assert contents(folder, 1) == [*RANDOM, b"", b"end"]


def test_a_second_process_does_not_get_the_folder(folder: KvFolder, path: Path) -> None:
    with pytest.raises(FolderInUse):
        KvFolder(path, patience_s=0)


def test_a_folder_that_the_daemon_deleted_meanwhile_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "kv").mkdir()
    lock = FolderLock.take(tmp_path / "kv")
    assert lock is not None
    (tmp_path / "kv").rename(tmp_path / "gone")
    folder = KvFolder(tmp_path / "kv", patience_s=0)
    lock.release()
    assert put(folder) > 0
    folder.close()


def test_a_lock_on_a_file_that_is_gone_counts_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def opened_too_early(*arguments: object) -> int:
        descriptor = opened(*arguments)
        Path(arguments[0]).unlink()
        return descriptor

    monkeypatch.setattr(os, "open", opened_too_early)
    assert FolderLock.take(tmp_path) is None


@pytest.mark.parametrize(("max_bytes", "is_smaller"), [(None, False), (MUCH_BYTES, True)])
def test_only_where_writing_is_limited_it_pays_to_write_less(
    path: Path, max_bytes: int | None, is_smaller: bool
) -> None:
    with closing(KvFolder(path, max_bytes)) as folder:
        parts = (b"exponents" * 1000,)
        assert (put(folder, parts=parts) < 1000) is is_smaller
        assert contents(folder, 1) == list(parts)


def test_using_a_block_is_remembered(folder: KvFolder, path: Path) -> None:
    put(folder)
    os.utime(path / kv_file.file_name(key(1)), (1, 1))
    assert folder.scan()[0].used_s == 1
    folder.touch(key(1))
    folder.touch(key(2))
    assert folder.scan()[0].used_s > 1


def test_the_daemon_reads_what_is_in_the_folder_from_its_lock(folder: KvFolder, reopen: Opener, path: Path) -> None:
    first = put(folder, 1)
    second = put(folder, 2, parts=RANDOM)
    assert read_state(path).num_bytes == first + second
    assert reopen().scan()
    assert read_state(path).num_bytes == first + second
    folder.remove(key(1))
    assert read_state(path).num_bytes == second
    (path / kv_file.file_name(key(2))).unlink()
    folder.read(key(2))
    assert read_state(path).num_bytes == 0


def test_a_spent_write_budget_stays_spent_over_a_restart_and_refills(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    now_s = [1e9]
    folder = KvFolder(path, 5000, now_s=lambda: now_s[0])
    assert put(folder, 1, parts=RANDOM) > 3000
    assert put(folder, 2, parts=RANDOM) == put(folder, 3, parts=RANDOM) == 0
    assert len([record for record in caplog.records if "in a day" in record.getMessage()]) == 1
    folder.close()
    folder = KvFolder(path, 5000, now_s=lambda: now_s[0])
    assert put(folder, 2, parts=RANDOM) == 0
    now_s[0] += DAY_S
    assert put(folder, 2, parts=RANDOM) > 3000
    folder.close()

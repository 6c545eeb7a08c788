"""The jobs on disk: what is kept, and what happens to a database that cannot be used."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance.core.jobs import Job, JobError, JobId, JobProgress
from appliance.database import MIGRATIONS
from appliance.errors import StorageError
from appliance.jobs import table as table_module
from appliance.jobs.table import JobTable


def job(name: str, **changes: object) -> Job:
    new = Job(id=JobId(name), kind="convert", arguments={"model": "m", "bits": [4, 8]}, caller="me", created_s=1.5)
    return replace(new, **changes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def table(path: Path) -> Iterator[JobTable]:
    table = JobTable(path)
    yield table
    table.close()


def test_a_job_is_kept_whole(table: JobTable, path: Path) -> None:
    error = JobError(message="no", kind="DoesNotFit", log=("a", "b"))
    failed = job("a", state="failed", error=error, progress=JobProgress(text="x", done=1), ended_s=3.0)
    table.save([failed])
    again = JobTable(path)
    assert again.get(JobId("a")) == failed
    assert again.get(JobId("b")) is None
    again.close()


def test_jobs_keep_their_order_when_they_change(table: JobTable) -> None:
    table.save([job("a"), job("b"), job("c")])
    table.save([job("a", state="running"), job("b", state="done")])
    assert [found.id for found in table.newest(2)] == ["c", "b"]
    assert table.active() == [job("a", state="running"), job("c")]


def test_only_the_newest_of_those_that_ended_are_remembered(table: JobTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "MAX_ENDED", 2)
    table.save([job("waiting"), job("a", state="done"), job("b", state="failed"), job("c", state="cancelled")])
    assert [found.id for found in table.newest(9)] == ["c", "b", "waiting"]


def test_only_its_owner_reads_the_database(table: JobTable, path: Path) -> None:
    table.save([job("a")])
    assert {file.stat().st_mode & 0o077 for file in path.parent.iterdir()} == {0}


def test_a_full_disk_is_an_error_and_loses_nothing_that_was_saved(table: JobTable) -> None:
    table.save([job("a")])
    pages = table._connection.execute("PRAGMA page_count").fetchone()[0]
    table._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="database or disk is full"):
        table.save([job("b", arguments={"text": "x" * 100_000}), job("a", state="done")])
    assert table.newest(9) == [job("a")]
    table._connection.execute("PRAGMA max_page_count = 100000")
    table.save([job("b")])
    assert len(table.newest(9)) == 2


def test_what_is_no_database_is_refused_and_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(StorageError, match=r"state\.db is damaged .* nothing was changed"):
        JobTable(path)
    assert path.read_bytes() == b"something else entirely" * 100
    assert list(path.parent.iterdir()) == [path]


def test_a_damaged_page_is_noticed_when_the_database_is_opened(path: Path) -> None:
    table = JobTable(path)
    table.save([job(str(number), arguments={"text": "x" * 3000}) for number in range(50)])
    table.close()
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 20] = b"\x5a" * (4096 * 17)
    path.write_bytes(content)
    with pytest.raises(StorageError, match="damaged"):
        JobTable(path)
    assert path.read_bytes() == content


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(path: Path) -> None:
    newer = sqlite3.connect(path)
    newer.executescript(f"CREATE TABLE future (a); PRAGMA user_version = {len(MIGRATIONS) + 1}")
    newer.close()
    content = path.read_bytes()
    with pytest.raises(StorageError, match=r"newer version .* install the newer version again"):
        JobTable(path)
    assert path.read_bytes() == content


def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    JobTable(path).close()
    broken = (*MIGRATIONS, "CREATE TABLE later (a); CREATE TABLE jobs (a);")
    monkeypatch.setattr("appliance.database.MIGRATIONS", broken)
    with pytest.raises(StorageError, match="already exists"):
        JobTable(path)
    monkeypatch.undo()
    JobTable(path).close()


def test_another_tables_migration_joins_behind_this_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = JobTable(path)
    first.save([job("a")])
    first.close()
    monkeypatch.setattr("appliance.database.MIGRATIONS", (*MIGRATIONS, "CREATE TABLE audit (a INTEGER) STRICT;"))
    second = JobTable(path)
    assert second.newest(9) == [job("a")]
    assert second._connection.execute("SELECT count(*) FROM audit").fetchone() == (0,)
    second.close()

"""The folder of answers: bytes by name, whole or not at all, below a budget, and never a pickle."""

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.caches.responses import ResponseFolder

BUDGET = 4 * 2**20


@pytest.fixture
def folder(tmp_path: Path) -> ResponseFolder:
    return ResponseFolder(tmp_path / "responses", BUDGET)


def database(tmp_path: Path) -> sqlite3.Connection:
    return sqlite3.connect(tmp_path / "responses" / "cache.db", isolation_level=None)


@pytest.mark.parametrize("size_bytes", [0, 100, 200_000])
def test_what_was_put_is_read_again(folder: ResponseFolder, size_bytes: int) -> None:
    content = os.urandom(size_bytes)
    folder.put("a", content, None)
    assert folder.get("a") == content
    assert folder.get("b") is None


def test_it_outlives_the_process(tmp_path: Path, folder: ResponseFolder) -> None:
    folder.put("a", b"answer", 60)
    folder.close()
    assert ResponseFolder(tmp_path / "responses", BUDGET).get("a") == b"answer"


def test_it_outlives_a_killed_process(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from appliance.caches.responses import ResponseFolder\n"
        f"ResponseFolder(Path(sys.argv[1]), {BUDGET}).put('a', b'answer', None)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-P", "-c", code, str(tmp_path / "responses")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert ResponseFolder(tmp_path / "responses", BUDGET).get("a") == b"answer"


@pytest.mark.parametrize("size_bytes", [100, 200_000])
def test_a_damaged_answer_is_none(tmp_path: Path, folder: ResponseFolder, size_bytes: int) -> None:
    folder.put("a", os.urandom(size_bytes), None)
    if size_bytes > 32_768:
        (file,) = (tmp_path / "responses").rglob("*.val")
        file.write_bytes(file.read_bytes()[:-1] + b"!")
    else:
        with database(tmp_path) as connection:
            connection.execute("UPDATE Cache SET value = ? WHERE key = 'a'", (b"x" * 116,))
    assert folder.get("a") is None
    assert folder.size()[0] == 0


def test_an_answer_under_anothers_name_is_none(tmp_path: Path, folder: ResponseFolder) -> None:
    folder.put("a", b"for a", None)
    with database(tmp_path) as connection:
        connection.execute("UPDATE Cache SET key = 'b' WHERE key = 'a'")
    assert folder.get("b") is None


def test_a_pickle_is_never_read(tmp_path: Path, folder: ResponseFolder) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    folder.put("a", b"answer", None)
    with database(tmp_path) as connection:
        connection.execute("UPDATE Cache SET value = ?, mode = 4 WHERE key = 'a'", (pickle.dumps(Bomb()),))
    assert folder.get("a") is None
    assert not (tmp_path / "exploded").exists()


def test_it_stays_below_its_budget(folder: ResponseFolder) -> None:
    for number in range(60):
        folder.put(str(number), os.urandom(200_000), None)
    num_entries, size_bytes = folder.size()
    assert 0 < num_entries < 30
    assert size_bytes < 1.5 * BUDGET
    assert folder.get("59") is not None and folder.get("0") is None


def test_an_answer_that_would_fill_it_is_not_kept(folder: ResponseFolder) -> None:
    folder.put("a", bytes(BUDGET // 4), None)
    assert folder.get("a") is None


def test_a_budget_of_nothing_keeps_nothing(tmp_path: Path) -> None:
    folder = ResponseFolder(tmp_path / "responses", 0)
    folder.put("a", b"answer", None)
    assert folder.get("a") is None and folder.size() == (0, 0) and folder.clear() == (0, 0)
    assert not (tmp_path / "responses").exists()


def test_a_broken_database_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "responses" / "cache.db"
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 1000)
    folder = ResponseFolder(tmp_path / "responses", BUDGET)
    folder.put("a", b"answer", None)
    assert folder.get("a") == b"answer"


def test_a_folder_that_cannot_be_made_is_a_cache_that_knows_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = ResponseFolder(tmp_path / "file" / "responses", BUDGET)
    folder.put("a", b"answer", None)
    assert folder.get("a") is None


def test_cleared_it_is_empty_and_can_be_used(folder: ResponseFolder) -> None:
    folder.put("a", b"answer", None)
    num_entries, freed_bytes = folder.clear()
    assert num_entries == 1 and freed_bytes > 0
    assert folder.get("a") is None
    folder.put("b", b"other", None)
    assert folder.get("b") == b"other"

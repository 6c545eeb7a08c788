"""All folders together stay within their budget, and no worker loses its own."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.caches.folder_lock import FolderLock, FolderState, read_state
from appliance.caches.kv_folder import KvFolder
from appliance.caches.kv_sweep import FolderUse, KvSweeper, kept_bytes, list_folders, sweep, to_remove
from appliance.core.events import ModelState, ModelStateChanged

A, B, C = "a" * 32, "b" * 32, "c" * 32


def use(name: str, num_bytes: int, used_s: float, is_held: bool = False) -> FolderUse:
    return FolderUse(name=name, num_bytes=num_bytes, used_s=used_s, is_held=is_held)


def make(root: Path, name: str, num_bytes: int, used_s: float) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "block.kv").write_bytes(b"x")
    lock = FolderLock.take(folder)
    assert lock is not None
    lock.write(FolderState(num_bytes))
    lock.release()
    os.utime(folder / "lock", (used_s, used_s))
    return folder


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_the_least_recently_used_goes_until_the_rest_fits() -> None:
    folders = [use(A, 10, 3), use(B, 10, 1), use(C, 10, 2)]
    assert to_remove(folders, 30, {A, B, C}) == []
    assert to_remove(folders, 29, {A, B, C}) == [B]
    assert to_remove(folders, 10, {A, B, C}) == [B, C]
    assert to_remove(folders, 0, {A, B, C}) == [B, C, A]


def test_what_no_installed_model_would_use_goes_first_and_always() -> None:
    folders = [use(A, 10, 1), use(B, 10, 2)]
    assert to_remove(folders, 100, {A}) == [B]
    assert to_remove(folders, 10, {A}) == [B]


def test_what_a_worker_holds_counts_and_stays() -> None:
    folders = [use(A, 100, 1, is_held=True), use(B, 10, 2), use(C, 10, 3, is_held=True)]
    assert to_remove(folders, 50, {A, B}) == [B]


@given(
    sizes=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5), st.booleans(), st.booleans()), max_size=8),
    budget_bytes=st.integers(0, 40),
)
def test_what_stays_fits_or_is_held_and_nothing_goes_in_vain(
    sizes: list[tuple[int, int, bool, bool]], budget_bytes: int
) -> None:
    folders = [use(str(i), size, used_s, is_held) for i, (size, used_s, is_held, _) in enumerate(sizes)]
    known = {str(i) for i, size in enumerate(sizes) if size[3]}
    removed = to_remove(folders, budget_bytes, known)
    stays = [folder for folder in folders if folder.name not in removed]
    assert sum(folder.num_bytes for folder in stays) <= budget_bytes or all(folder.is_held for folder in stays)
    last = [folder for folder in folders if removed[-1:] == [folder.name] and folder.name in known]
    assert all(sum(folder.num_bytes for folder in [*stays, *last]) > budget_bytes for _ in last)


def test_a_sweep_deletes_what_is_too_much_and_only_that(tmp_path: Path) -> None:
    make(tmp_path, A, 10, 1)
    make(tmp_path, B, 10, 2)
    make(tmp_path, C, 10, 3)
    (tmp_path / "notes.txt").write_text("mine")
    make(tmp_path, ".removed-" + "d" * 32, 10, 4)
    assert kept_bytes(tmp_path) == 30
    sweep(tmp_path, 10, {A, C})
    assert names(tmp_path) == [C, "notes.txt"]


def test_a_folder_that_a_worker_has_is_not_deleted(tmp_path: Path) -> None:
    folder = KvFolder(tmp_path / A)
    folder.write(b"k" * 16, b"r" * 16, 0, np.zeros(4, np.int32), "layout", [memoryview(b"bytes")])
    assert [(each.is_held, each.num_bytes > 0) for each in list_folders(tmp_path)] == [(True, True)]
    sweep(tmp_path, 0, set())
    assert folder.read(b"k" * 16) is not None
    folder.close()
    sweep(tmp_path, 0, set())
    assert names(tmp_path) == []


def test_without_any_folder_there_is_nothing_to_do(tmp_path: Path) -> None:
    sweep(tmp_path / "kv", 0, set())
    assert list_folders(tmp_path / "kv") == []
    assert read_state(tmp_path / "kv") == FolderState()


@pytest.mark.parametrize(("state", "num_sweeps"), [("stopped", 1), ("failed", 1), ("ready", 0), ("stopping", 0)])
def test_a_worker_that_ended_is_followed_by_a_sweep(tmp_path: Path, state: ModelState, num_sweeps: int) -> None:
    sweeps: list[set[str]] = []

    def known() -> set[str]:
        sweeps.append(set())
        return sweeps[-1]

    make(tmp_path, A, 10, 1)
    sweeper = KvSweeper(tmp_path, 10, known)
    sweeper.observe(ModelStateChanged(model="m", state=state, reason=""))
    sweeper.sweep_soon().result()
    assert len(sweeps) == num_sweeps + 1
    assert names(tmp_path) == []


def test_a_sweep_that_fails_is_only_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def unreadable() -> set[str]:
        raise OSError("broken disk")

    KvSweeper(tmp_path, 10, unreadable).sweep_soon().result()
    assert "broken disk" in caplog.text

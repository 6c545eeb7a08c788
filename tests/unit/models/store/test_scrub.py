"""A scrub reads every file and finds what has changed without being written to."""

import os
from pathlib import Path

import pytest

from models.store.scrub import ScrubReport, scrub
from models.store.store import ModelStore
from tests.unit.models.store.test_store import add, write_model
from tests.unit.models.stores import fetch


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(root: Path) -> ModelStore:
    return ModelStore(root)


def rot(path: Path) -> None:
    """Change one byte as a failing disk does: unseen by size and time."""
    status = path.stat()
    with path.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\x7f")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def scrubbed(store: ModelStore, max_bytes_per_s: float | None = None) -> ScrubReport:
    told: list[tuple[int, int]] = []
    report = scrub(store.list()[1:], max_bytes_per_s, lambda text, done, total: told.append((done, total)), 50.0)
    assert not told or told[-1][0] == told[-1][1]
    store.note_scrub(report)
    return report


def test_sound_models_are_read_once_whatever_their_names(store: ModelStore, tmp_path: Path) -> None:
    model = add(store, write_model(tmp_path / "a.gguf"), "a", copy=True)
    store.alias("a", "b", 0.0)
    report = scrubbed(store)
    assert (report.num_models, report.num_files, report.num_bytes) == (2, 1, model.size_bytes)
    assert report.hurt == ()


def test_bit_rot_is_found_in_every_model_that_has_the_file(store: ModelStore, root: Path, tmp_path: Path) -> None:
    model = add(store, write_model(tmp_path / "a.gguf"), "a", copy=True)
    alias = store.alias("a", "b", 0.0)
    rot(Path(model.files[0].path))
    assert store.changed_files(model) == []
    report = scrubbed(store)
    assert [hurt.name for hurt in report.hurt] == ["a", "b"]
    assert "no longer what was added" in report.hurt[0].problems[0]
    assert f"appliance models add {tmp_path / 'a.gguf'} --name a --copy" in report.hurt[0].remedy
    for manifest in (model, alias):
        assert "no longer what was added" in ModelStore(root).changed_files(manifest)[0]
    assert Path(model.files[0].path).exists()


def test_the_remedy_is_the_way_by_which_the_model_came(store: ModelStore, root: Path, tmp_path: Path) -> None:
    add(store, write_model(tmp_path / "a.gguf"), "a")
    fetch(store, root / "d", "t", 2.0)
    for manifest in store.list()[1:]:
        rot(Path(manifest.files[0].path))
    remedies = {hurt.name: hurt.remedy for hurt in scrubbed(store).hurt}
    assert "put a sound file in its place" in remedies["a"]
    assert "appliance pull hf:acme/tiny:tiny.gguf@r1 --name t" in remedies["t"]


def test_a_note_ends_with_the_damage(store: ModelStore, tmp_path: Path) -> None:
    source = write_model(tmp_path / "a.gguf")
    model = add(store, source, "a", copy=True)
    rot(Path(model.files[0].path))
    scrubbed(store)
    again = add(store, source, "a", copy=True)
    assert store.changed_files(again) == []
    assert scrubbed(store).hurt == ()


def test_a_note_on_an_adopted_file_ends_when_it_is_read_whole_and_right(store: ModelStore, tmp_path: Path) -> None:
    source = write_model(tmp_path / "a.gguf")
    good = source.read_bytes()
    model = add(store, source, "a")
    rot(source)
    scrubbed(store)
    status = source.stat()
    source.write_bytes(good)
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert store.changed_files(model) != []
    assert store.changed_files(add(store, source, "a")) == []


def test_a_file_that_is_gone_or_was_written_to_is_not_called_rot(store: ModelStore, tmp_path: Path) -> None:
    gone, written = write_model(tmp_path / "a.gguf"), write_model(tmp_path / "b.gguf", 2.0)
    add(store, gone, "a")
    add(store, written, "b")
    gone.unlink()
    written.write_bytes(b"other")
    problems = {hurt.name: hurt.problems[0] for hurt in scrubbed(store).hurt}
    assert "No such file" in problems["a"]
    assert "bytes when it was added" in problems["b"]


def test_the_limit_holds_the_reading_back(store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = add(store, write_model(tmp_path / "a.gguf"), "a", copy=True)
    slept: list[float] = []
    monkeypatch.setattr("models.store.scrub.time.sleep", slept.append)
    scrubbed(store, max_bytes_per_s=model.size_bytes / 10)
    assert slept and 9 < slept[-1] <= 10


def test_damaged_notes_that_cannot_be_read_count_for_nothing(store: ModelStore, root: Path, tmp_path: Path) -> None:
    model = add(store, write_model(tmp_path / "a.gguf"), "a")
    (root / "models" / "damaged.json").write_text("{")
    assert store.changed_files(model) == []

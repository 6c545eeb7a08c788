"""Names: aliases without a second copy, what a name meant before, and the way back."""

from pathlib import Path

import pytest

from models.errors import NameTaken, StoreError, UnknownModel
from models.names import InvalidModelName
from models.store.garbage import GarbagePolicy
from models.store.store import ModelStore
from tests.unit.models.store.test_store import add, blobs, names, write_model
from tests.unit.models.stores import fetch, numbers_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(root: Path) -> ModelStore:
    return ModelStore(root)


def test_an_alias_shares_the_files(store: ModelStore, root: Path, tmp_path: Path) -> None:
    model = add(store, write_model(tmp_path / "a.gguf"), "a", copy=True)
    alias = store.alias("a", "acme/b:stable", 9.0)
    assert (alias.alias_of, alias.digest, alias.files, alias.added_s) == ("a", model.digest, model.files, 9.0)
    assert len(blobs(root)) == 1
    store.remove("a")
    assert store.changed_files(alias) == []


def test_an_alias_can_be_given_again_and_remembers(store: ModelStore, tmp_path: Path) -> None:
    old, new = (add(store, write_model(tmp_path / f"{n}.gguf", n), f"m{n}") for n in (1, 2))
    store.alias("m1", "m:stable", 0.0)
    assert store.alias("m2", "m:stable", 0.0).version == 2
    assert numbers_of(store, "m:stable") == [(2, new.digest), (1, old.digest)]
    assert store.alias("m2", "m:stable", 1.0).version == 2


def test_a_models_own_name_is_no_alias(store: ModelStore, tmp_path: Path) -> None:
    for number in (1, 2):
        add(store, write_model(tmp_path / f"{number}.gguf", number), f"m{number}")
    with pytest.raises(NameTaken):
        store.alias("m1", "m2", 0.0)
    with pytest.raises(InvalidModelName, match="name of the model itself"):
        store.alias("m1", "M1:latest", 0.0)
    with pytest.raises(UnknownModel):
        store.alias("absent", "m3", 0.0)
    with pytest.raises(NameTaken, match="embedded"):
        store.alias("m1", "guide:x", 0.0)


def test_rolling_back_goes_to_the_version_before_and_to_any_other(store: ModelStore, root: Path) -> None:
    one, two, three = (fetch(store, root / "d" / str(n), "t", float(n), revision=f"r{n}") for n in (1, 2, 3))
    assert store.rollback("t") == two
    assert store.get("t") == two
    assert numbers_of(store, "t") == [(3, three.digest), (2, two.digest), (1, one.digest)]
    assert store.rollback("t") == one
    with pytest.raises(StoreError, match="has no version before 1"):
        store.rollback("t")
    assert store.rollback("t", 3) == three
    assert store.rollback("t", 3) == three
    with pytest.raises(StoreError, match="has no version 7; there are: 1, 2, 3"):
        store.rollback("t", 7)
    assert store.check_integrity() == []


def test_what_comes_after_a_rollback_gets_a_number_of_its_own(store: ModelStore, root: Path) -> None:
    for number in (1, 2):
        fetch(store, root / "d" / str(number), "t", float(number), revision=f"r{number}")
    store.rollback("t")
    assert fetch(store, root / "d" / "3", "t", 3.0, revision="r3").version == 3


def test_a_version_whose_files_are_gone_is_not_gone_back_to(store: ModelStore, root: Path) -> None:
    first = fetch(store, root / "d" / "1", "t", 1.0)
    second = fetch(store, root / "d" / "2", "t", 2.0, revision="r2")
    Path(first.files[0].path).unlink()
    with pytest.raises(StoreError, match="version 1 of 't' cannot be used"):
        store.rollback("t")
    assert store.get("t") == second


def test_removing_a_name_removes_its_versions(store: ModelStore, root: Path) -> None:
    for number in (1, 2):
        fetch(store, root / "d" / str(number), "t", float(number), revision=f"r{number}")
    assert store.remove("t") > 0
    assert blobs(root) == []
    assert names(store) == ["guide:latest"]
    assert list((root / "models" / "versions").iterdir()) == []


def test_garbage_collection_keeps_the_newest_versions(store: ModelStore, root: Path) -> None:
    made = [fetch(store, root / "d" / str(n), "t", float(n), revision=f"r{n}") for n in (1, 2, 3, 4)]
    dry = store.collect_garbage(GarbagePolicy(keep_versions=1), 1e9, is_dry_run=True)
    assert [(item.kind, item.name) for item in dry.items[:2]] == [
        ("version", "t, version 2"),
        ("version", "t, version 1"),
    ]
    assert dry.num_bytes == made[0].size_bytes + made[1].size_bytes
    assert len(numbers_of(store, "t")) == 4
    assert store.collect_garbage(GarbagePolicy(keep_versions=1), 1e9, is_dry_run=False) == dry
    assert [number for number, _ in numbers_of(store, "t")] == [4, 3]
    assert len(blobs(root)) == 2
    assert store.check_integrity() == []


def test_a_file_that_an_older_version_shares_with_a_kept_one_stays(store: ModelStore, root: Path) -> None:
    fetch(store, root / "d" / "1", "t", 1.0)
    fetch(store, root / "d" / "2", "t", 2.0, revision="r2")
    store.alias("t", "u", 0.0)
    fetch(store, root / "d" / "3", "t", 3.0, revision="r3")
    store.collect_garbage(GarbagePolicy(keep_versions=0), 1e9, is_dry_run=False)
    assert [number for number, _ in numbers_of(store, "t")] == [3]
    assert store.check_integrity() == []
    assert len(blobs(root)) == 2

"""A store whose process is killed before each of its file operations, one after the other: nothing is lost or half."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from models.store.garbage import GarbagePolicy
from models.store.store import ModelStore
from tests.unit.models.loras import write_lora, write_peft
from tests.unit.models.store.test_store import add, write_model
from tests.unit.models.store.test_uploads import upload
from tests.unit.models.stores import fetched

OPERATIONS = ("fsync", "rename", "replace", "link", "symlink", "unlink", "rmdir", "mkdir", "utime", "open")
TITLES = (
    "add a copy",
    "adopt",
    "alias",
    "copy the embedded model",
    "roll back",
    "take in a download",
    "take in an upload",
    "collect garbage",
    "clean",
    "take in an adapter",
)
Action = Callable[[ModelStore], object]


class Scene:
    """A home that is as it was before each kill, in the same place, and files outside of it that models are made of."""

    def __init__(self, folder: Path) -> None:
        self.home, self._saved, self.outside = folder / "home", folder / "saved", folder / "outside"
        self.outside.mkdir()
        store = ModelStore(self.home)
        for number in (1, 2):
            add(store, write_model(self.outside / f"m{number}.gguf", number), f"m{number}", copy=True)
        add(store, write_model(self.outside / "stays.gguf", 3), "stays")
        store.alias("m1", "m:stable", 0.0)
        store.alias("m2", "m:stable", 0.0)
        old = self.home / "downloads" / "old"
        store.add_fetched(old, "f", fetched(old, 4.0, 5.0), 0.0)
        shutil.rmtree(old)
        self.new = self.home / "downloads" / "new"
        self.provenance = fetched(self.new, 6.0, 7.0, revision="r2")
        self.sha256 = upload(store, write_model(self.outside / "up.gguf", 8).read_bytes())
        (self.home / "models" / "blobs" / "sha256-0").write_bytes(b"nobody's")
        write_model(self.outside / "new.gguf", 9)
        store.adapters.add(write_lora(self.outside / "lora.gguf"), "kept", True, 0.0)
        write_peft(self.outside / "peft")
        shutil.copytree(self.home, self._saved, symlinks=True)

    def reset(self) -> ModelStore:
        shutil.rmtree(self.home)
        shutil.copytree(self._saved, self.home, symlinks=True)
        return ModelStore(self.home)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def actions(scene: Scene) -> dict[str, Action]:
    return {
        "add a copy": lambda store: add(store, scene.outside / "new.gguf", "new", copy=True),
        "adopt": lambda store: add(store, scene.outside / "new.gguf", "new"),
        "alias": lambda store: store.alias("stays", "m:stable", 1.0),
        "copy the embedded model": lambda store: store.derive("guide", "mine", None, 1.0),
        "roll back": lambda store: store.rollback("m:stable", 1),
        "take in a download": lambda store: store.add_fetched(scene.new, "f", scene.provenance, 1.0),
        "take in an upload": lambda store: store.add_uploaded(scene.sha256, "up", None, 1.0),
        "collect garbage": lambda store: store.collect_garbage(
            GarbagePolicy(keep_versions=0), time.time(), is_dry_run=False
        ),
        "clean": lambda store: store.clean(),
        "take in an adapter": lambda store: store.adapters.add(scene.outside / "peft", "tone", True, 1.0),
    }


def die_before(number: int) -> None:
    """Let this process be killed instead of doing its file operation of that number."""
    done = 0

    def counted(operation: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object, **options: object) -> object:
            nonlocal done
            done += 1
            if done == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(*arguments, **options)

        return run

    for name in OPERATIONS:
        setattr(os, name, counted(getattr(os, name)))


def killed_before(number: int, action: Action, store: ModelStore) -> bool:
    """Return whether a process that does this lived to its operation of that number."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            die_before(number)
            action(store)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the operation itself failed"
    return os.WIFSIGNALED(status)


def contents(store: ModelStore) -> dict[str, set[str]]:
    """Return the digests of all that each name means and has meant."""
    names = [f"{manifest.name}:{manifest.tag}" for manifest in store.list()]
    return {name: {version.digest for version in store.versions(name)} for name in names}


def check_nothing_lost(before: dict[str, set[str]], store: ModelStore, after_a: str) -> None:
    assert store.check_integrity() == []
    now = contents(store)
    assert "kept" in [adapter.name for adapter in store.adapters.list()]
    for name, digests in before.items():
        assert name in now, f"{name} is lost after a kill during: {after_a}"
        if after_a != "collect garbage":  # which is to delete former versions
            assert digests <= now[name], f"{name} lost a version after a kill during: {after_a}"


@pytest.mark.parametrize("title", TITLES)
def test_a_kill_before_any_file_operation_loses_nothing(scene: Scene, title: str) -> None:
    action = actions(scene)[title]
    num_kills = 0
    for number in range(1, 500):
        store = scene.reset()
        before = contents(store)
        is_killed = killed_before(number, action, store)
        survivor = ModelStore(scene.home)
        check_nothing_lost(before, survivor, title)
        if not is_killed:
            break
        num_kills += 1
        action(survivor)
        check_nothing_lost(before, ModelStore(scene.home), title)
        everything = GarbagePolicy(keep_versions=99)
        survivor.collect_garbage(everything, 0.0, is_dry_run=False)
        left = survivor.collect_garbage(everything, 0.0, is_dry_run=True)
        assert left.items == ()
    assert num_kills >= 3


def test_kills_at_random_moments_lose_nothing(scene: Scene) -> None:
    """The moments between file operations are the system's: some of these kills fall into the middle of a write."""
    chance = random.Random(8)
    for title, action in actions(scene).items():
        for _ in range(10):
            store = scene.reset()
            before = contents(store)
            child = os.fork()
            if child == 0:
                try:
                    while True:
                        action(ModelStore(scene.home))
                finally:
                    os._exit(0)
            deadline_s = time.monotonic() + chance.random() * 0.02
            while time.monotonic() < deadline_s:
                pass
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            check_nothing_lost(before, ModelStore(scene.home), title)


def test_a_kill_while_a_model_is_removed_leaves_it_whole_or_gone(scene: Scene) -> None:
    for number in range(1, 500):
        store = scene.reset()
        is_killed = killed_before(number, lambda store: store.remove("m:stable"), store)
        survivor = ModelStore(scene.home)
        assert survivor.check_integrity() == []
        if not is_killed:
            assert survivor.get("m:stable") is None
            break
        if survivor.get("m:stable") is not None:
            survivor.remove("m:stable")
        assert survivor.collect_garbage(GarbagePolicy(keep_versions=9), 0.0, is_dry_run=False).num_unreadable == 0
        assert survivor.get("m1") is not None

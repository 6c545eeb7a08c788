"""Taking a model in while the daemon goes on."""

import asyncio
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from appliance.core.admin import AddModel, Done, LoadedModelStatus, Progress
from appliance.core.jobs import Job, JobId
from appliance.errors import Conflict
from appliance.service.care import ModelCare
from appliance.service.installed import Installed
from models.finding.found import NOTHING_KNOWN, Origin
from models.manifest import ModelManifest
from models.store.intake import AddProgress
from models.store.store import ModelStore
from tests.fakes import FakeScheduler, load_plan
from tests.shapes import write_shape

JOB = Job(id=JobId("job-1"), kind="quantize", arguments={}, caller="me", created_s=0.0)


class SlowStore(ModelStore):
    """Reads until it is told to go on, and notes when its work was given up."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.is_reading, self.may_go_on = threading.Event(), threading.Event()
        self.thread: threading.Thread | None = None
        self.is_discarded = False

    def add(
        self,
        path: Path,
        name: str | None,
        copy: bool,
        now_s: float,
        origin: Origin = NOTHING_KNOWN,
        is_replacing: bool = False,
    ) -> Generator[AddProgress, None, ModelManifest]:
        try:
            yield AddProgress(done_bytes=1, total_bytes=2, text="reading")
            self.thread = threading.current_thread()
            self.is_reading.set()
            assert self.may_go_on.wait(10)
            yield AddProgress(done_bytes=2, total_bytes=2, text="reading")
            return self.list()[0]
        finally:
            self.is_discarded = True


def care_of(store: ModelStore) -> ModelCare:
    scheduler: Any = FakeScheduler()
    return ModelCare(store, Installed(store, lambda model, manifest, variant: load_plan(model), "guide"), scheduler)


def test_a_file_is_read_on_another_thread_than_the_daemons(tmp_path: Path) -> None:
    store = SlowStore(tmp_path)
    store.may_go_on.set()

    async def run() -> list[Any]:
        return [event async for event in care_of(store).add(AddModel(path="x"))]

    events = asyncio.run(run())
    assert [event.done for event in events if isinstance(event, Progress)] == [1, 2]
    assert isinstance(events[-1], Done)
    assert store.thread is not threading.current_thread()


def test_an_intake_that_nobody_waits_for_is_discarded(tmp_path: Path) -> None:
    store = SlowStore(tmp_path)

    async def run() -> None:
        async def read() -> None:
            async for _ in care_of(store).add(AddModel(path="x")):
                pass

        reading = asyncio.create_task(read())
        assert await asyncio.to_thread(store.is_reading.wait, 10)
        reading.cancel()
        asyncio.get_running_loop().call_soon(store.may_go_on.set)
        await asyncio.wait({reading})

    asyncio.run(run())
    assert store.is_discarded


def test_what_a_job_made_outlives_the_jobs_folder(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "home")
    made = tmp_path / "made.gguf"
    write_shape(made)

    order = {"folder": str(made), "name": "mine", "made_of": "sha256:source"}
    result = asyncio.run(care_of(store).keep_made(JOB, order))
    made.unlink()

    assert result == {"model": "mine", "quality": None}
    manifest = store.get("mine")
    assert manifest is not None
    assert store.changed_files(manifest) == []
    assert manifest.made_of == "sha256:source"


def test_a_name_that_was_taken_while_the_job_ran_is_not_overwritten(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "home")
    for seed in (1, 2):
        write_shape(tmp_path / f"{seed}.gguf", seed=seed)
    care = care_of(store)
    asyncio.run(care.keep_made(JOB, {"folder": str(tmp_path / "1.gguf"), "name": "mine"}))
    first = store.get("mine")

    with pytest.raises(Conflict, match="mine"):
        asyncio.run(care.keep_made(JOB, {"folder": str(tmp_path / "2.gguf"), "name": "mine"}))

    assert store.get("mine") == first


def test_an_adopted_file_is_named_when_it_stays(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "home")
    file = tmp_path / "mine.gguf"
    write_shape(file)
    care = care_of(store)

    async def run() -> list[str | None]:
        kept = []
        for copy in (False, True):
            async for _ in care.add(AddModel(path=str(file), copy=copy)):
                pass
            kept.append((await care.remove("mine")).kept_path)
        return kept

    assert asyncio.run(run()) == [str(file), None]
    assert file.is_file()


def test_a_model_that_was_compiled_moves_to_where_it_runs_now_and_no_other_does(tmp_path: Path) -> None:
    scheduler: Any = FakeScheduler()
    scheduler.statuses = (
        loaded_status("guide", backend="before"),
        loaded_status("guide@echo", backend="echo"),
        loaded_status("other", backend="before"),
    )
    store = ModelStore(tmp_path)
    care = ModelCare(store, Installed(store, lambda model, manifest, variant: load_plan(model), "guide"), scheduler)

    result = asyncio.run(care.keep_compiled(JOB, {"model": "guide", "note": "done"}))

    assert scheduler.renewed == ["guide"]
    assert result == {"model": "guide", "note": "done"}


def loaded_status(name: str, *, backend: str) -> LoadedModelStatus:
    return LoadedModelStatus(
        name=name,
        state="ready",
        reason="",
        backend=backend,
        device="cpu",
        is_pinned=False,
        memory_bytes=1,
        context_tokens=1,
        num_running=0,
        num_waiting=0,
        tokens_per_s=0.0,
        kv_used_tokens=0,
        kv_capacity_tokens=1,
        expires_in_s=None,
    )

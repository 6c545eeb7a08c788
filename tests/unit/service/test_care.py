"""Taking a model in while the daemon goes on."""

import asyncio
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

from appliance.core.admin import AddModel, Done, Progress
from appliance.service.care import ModelCare
from appliance.service.installed import Installed
from models.intake import AddProgress
from models.manifest import ModelManifest
from models.store import ModelStore
from tests.fakes import FakeScheduler, load_plan


class SlowStore(ModelStore):
    """Reads until it is told to go on, and notes when its work was given up."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.is_reading, self.may_go_on = threading.Event(), threading.Event()
        self.thread: threading.Thread | None = None
        self.is_discarded = False

    def add(
        self, path: Path, name: str | None, copy: bool, now_s: float
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

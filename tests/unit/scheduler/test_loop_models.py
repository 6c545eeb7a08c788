"""Loads and unloads through the loop: their progress, their failures, and no timer where nothing can happen."""

import asyncio

import pytest

from appliance.core.messages import ForgetAdapter, Load, Loading
from appliance.errors import (
    BackendError,
    Conflict,
)
from tests.unit.scheduler.builders import finished
from tests.unit.scheduler.fake_worker import FakeWorker
from tests.unit.scheduler.loop_bench import Daemon, in_loop, read


@in_loop
async def test_a_load_tells_its_progress_and_ends_when_the_model_is_ready() -> None:
    async with Daemon() as daemon:

        async def load() -> list[float]:
            return [ratio async for ratio in daemon.owner.load("a")]

        loading = asyncio.ensure_future(load())
        worker = await daemon.workers.next()
        worker.say(Loading(ratio=0.25), Loading(ratio=0.75))
        await worker.become_ready()
        assert await loading == [0.25, 0.75, 1.0]
        assert await load() == [1.0]
        assert daemon.workers.num_started == 1


@in_loop
async def test_a_load_that_fails_raises_its_cause() -> None:
    async with Daemon() as daemon:
        loading = asyncio.ensure_future(anext(daemon.owner.load("a")))
        worker = await daemon.workers.next()
        await worker.next(Load)
        worker.die("was ended by SIGSEGV")
        with pytest.raises(BackendError, match="SIGSEGV"):
            await loading
        assert daemon.workers.num_started == 1


@in_loop
async def test_a_worker_that_cannot_be_started_is_a_failed_load() -> None:
    def spawn(*_: object) -> FakeWorker:
        raise OSError("no more processes")

    async with Daemon(spawn) as daemon:
        with pytest.raises(BackendError, match="no more processes"):
            await anext(daemon.submit("1"))


@in_loop
async def test_unloading_waits_until_the_worker_is_gone() -> None:
    async with Daemon() as daemon:
        stream, worker = await daemon.running("1")
        with pytest.raises(Conflict):
            await daemon.owner.unload("a")
        worker.say(finished("1"))
        await read(stream)
        await daemon.owner.unload("a")
        assert daemon.states() == ["loading", "ready", "stopping", "stopped"]
        assert daemon.owner.status() == ()


@in_loop
async def test_a_model_nobody_uses_leaves_by_itself() -> None:
    async with Daemon(keep_alive_s=0.01) as daemon:
        stream, worker = await daemon.running("1")
        worker.say(finished("1"))
        await read(stream)
        await daemon.until("stopped")


@in_loop
async def test_nothing_is_scheduled_while_nothing_can_happen() -> None:
    async with Daemon() as daemon:
        assert daemon.owner._timer is None
        await daemon.owner.start(["a"])
        worker = await daemon.workers.next()
        await worker.become_ready()
        assert [ratio async for ratio in daemon.owner.load("a")] == [1.0]
        assert daemon.owner.status()[0].is_pinned
        assert daemon.owner._timer is None


@in_loop
async def test_every_model_in_memory_is_told_to_forget_an_adapter_that_was_removed() -> None:
    async with Daemon() as daemon:
        _, worker = await daemon.running("1")
        daemon.owner.forget_adapter("sha256:tone")
        assert (await worker.next(ForgetAdapter)).digest == "sha256:tone"

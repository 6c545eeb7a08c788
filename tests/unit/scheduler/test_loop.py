"""The owner on the event loop, against workers that speak real frames."""

import asyncio
import gc
from typing import Any

import pytest

from appliance.core.events import (
    Accepted,
    Delta,
    Finished,
    ModelCalibrated,
    TokensEmitted,
)
from appliance.core.messages import Cancel, Load, LoadFailed, MemoryPressure, Pause, Ready, Resume, Start
from appliance.core.plan import Calibration
from appliance.errors import (
    ApplianceError,
    BackendError,
    Conflict,
    DeadlineExceeded,
    DoesNotFit,
    Draining,
    InvalidRequest,
    ModelNotFound,
    QueueFull,
    RequestCancelled,
    to_info,
)
from tests.unit.scheduler.builders import GIB, accepted, delta, finished, traits
from tests.unit.scheduler.loop_bench import TIMEOUT_S, Daemon, in_loop, place_of, read


@in_loop
async def test_events_walk_from_the_worker_to_the_caller_and_the_stream_ends() -> None:
    async with Daemon() as daemon:
        stream, worker = await daemon.running("1")
        told: list[Accepted | Delta | Finished] = [accepted("1"), delta("1"), delta("1", text="y"), finished("1")]
        worker.say(told[0])
        worker.say(*told[1:])
        assert await read(stream) == told
        assert daemon.outcomes() == [("1", "stop")]
        assert sum(isinstance(event, TokensEmitted) for event in daemon.events) == 2
        assert await read(stream) == []


@in_loop
async def test_the_events_of_one_frame_wake_their_reader_once() -> None:
    async with Daemon() as daemon:
        stream, worker = await daemon.running("1")
        first = asyncio.ensure_future(anext(stream))
        worker.say(*(delta("1", text=str(number)) for number in range(5)))
        assert await first == delta("1", text="0")
        for number in range(1, 5):
            with pytest.raises(StopIteration) as reached:
                stream.__anext__().send(None)  # would suspend if the event were not there already
            assert reached.value.value == delta("1", text=str(number))


@in_loop
async def test_twenty_callers_of_a_cold_model_share_one_load() -> None:
    async with Daemon() as daemon:
        streams = [daemon.submit(str(number)) for number in range(20)]
        assert [place_of(stream) for stream in streams] == list(range(1, 21))
        worker = await daemon.workers.next()
        await worker.become_ready()
        for number in range(20):
            started = await worker.next(Start)
            assert started.request.id == str(number)
            worker.say(finished(str(number)))
        assert [await read(stream) for stream in streams] == [[finished(str(number))] for number in range(20)]
        assert daemon.workers.num_started == 1


@in_loop
async def test_a_request_that_runs_has_no_place_in_the_queue() -> None:
    async with Daemon() as daemon:
        stream, _ = await daemon.running("1")
        assert stream.queue_place is None


@in_loop
async def test_a_cancel_reaches_the_worker_and_ends_the_stream() -> None:
    async with Daemon() as daemon:
        stream, worker = await daemon.running("1")
        reader = asyncio.ensure_future(read(stream))
        stream.cancel()
        await stream.aclose()
        assert await worker.next(Cancel) == Cancel(id=stream.request_id)
        worker.say(delta("1"))
        assert await reader == []
        assert daemon.outcomes() == [("1", "cancelled")]
        assert not worker.has_received_more()


@in_loop
async def test_a_stream_that_is_dropped_cancels_its_request() -> None:
    async with Daemon() as daemon:
        stream, worker = await daemon.running("1")
        del stream
        gc.collect()
        await worker.next(Cancel)
        assert daemon.outcomes() == [("1", "cancelled")]


@in_loop
async def test_a_timeout_while_reading_loses_nothing() -> None:
    async with Daemon() as daemon:
        stream, worker = await daemon.running("1")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.001)
        worker.say(delta("1"), finished("1"))
        assert await read(stream) == [delta("1"), finished("1")]


@in_loop
async def test_a_dead_worker_fails_its_requests_after_what_it_had_said() -> None:
    async with Daemon() as daemon:
        stream, worker = await daemon.running("1")
        worker.say(delta("1"))
        worker.die("was killed (SIGKILL; out of memory?)")
        assert isinstance(await anext(stream), Delta)
        with pytest.raises(BackendError, match="SIGKILL"):
            await anext(stream)
        assert await read(stream) == []
        assert daemon.outcomes() == [("1", "error")]
        assert daemon.owner.last_error("a") is not None
        _, fresh = await daemon.running("2")
        assert fresh is not worker
        assert daemon.owner.last_error("a") is None


@in_loop
async def test_each_of_many_callers_is_given_an_error_of_its_own() -> None:
    async with Daemon() as daemon:
        streams = [daemon.submit("1"), daemon.submit("2")]
        worker = await daemon.workers.next()
        await worker.next(Load)
        worker.say(LoadFailed(error=to_info(BackendError("not a model file"))))
        errors = await asyncio.gather(*(anext(stream) for stream in streams), return_exceptions=True)
        assert [str(error) for error in errors] == ["not a model file"] * 2
        assert errors[0] is not errors[1]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"model": "unknown"}, ModelNotFound),
        ({"model": "huge"}, DoesNotFit),
        ({"num_choices": 13}, InvalidRequest),
        ({}, QueueFull),
    ],
    ids=["unknown", "too large", "too many choices", "queue full"],
)
def test_a_refusal_is_raised_at_once_and_leaves_nothing(asked: dict[str, Any], error: type[ApplianceError]) -> None:
    @in_loop
    async def scenario() -> None:
        async with Daemon(max_waiting=0) as daemon:
            with pytest.raises(error):
                daemon.submit("1", **asked)
            assert daemon.events == []
            with pytest.raises(error):
                daemon.submit("1", **asked)

    scenario()


@in_loop
async def test_an_id_that_is_in_use_is_refused() -> None:
    async with Daemon() as daemon:
        stream = daemon.submit("1")
        with pytest.raises(Conflict):
            daemon.submit("1")
        assert place_of(stream) == 1


@in_loop
async def test_a_pause_and_its_end_walk_to_the_worker_and_the_stream_goes_on() -> None:
    async with Daemon() as daemon:
        streams = [daemon.submit(str(number), priority="batch") for number in range(6)]
        worker = await daemon.workers.next()
        await worker.become_ready()
        for _ in range(6):
            await worker.next(Start)
        worker.say(delta("5"))
        await anext(streams[5])
        now = daemon.submit("now", priority="interactive")
        assert await worker.next(Pause) == Pause(id=streams[5].request_id)
        assert (await worker.next(Start)).request.id == "now"
        assert (place_of(streams[5]), now.queue_place) == (1, None)
        worker.say(finished("now"))
        assert await worker.next(Resume) == Resume(id=streams[5].request_id)
        worker.say(finished("5"))
        assert await read(streams[5]) == [finished("5")]


@in_loop
async def test_a_deadline_ends_what_runs_by_itself() -> None:
    async with Daemon() as daemon:
        stream = daemon.submit("1", deadline_s=0.05)
        worker = await daemon.workers.next()
        await worker.become_ready()
        await worker.next(Start)
        with pytest.raises(DeadlineExceeded):
            await anext(stream)
        await worker.next(Cancel)


@in_loop
async def test_what_somebody_else_cancels_ends_with_the_reason() -> None:
    async with Daemon() as daemon:
        stream, worker = await daemon.running("1")
        daemon.owner.cancel(stream.request_id, RequestCancelled("an operator ended it"))
        with pytest.raises(RequestCancelled):
            await anext(stream)
        await worker.next(Cancel)
        assert daemon.outcomes() == [("1", "cancelled")]


def test_what_a_worker_says_of_itself_is_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    @in_loop
    async def scenario() -> None:
        async with Daemon() as daemon:
            stream = daemon.submit("1")
            worker = await daemon.workers.next()
            await worker.next(Load)
            calibration = Calibration(threads_decode=3, threads_prefill=4)
            worker.say(Ready(traits=traits(), memory_bytes=GIB, calibration=calibration))
            await worker.next(Start)
            worker.say(MemoryPressure(measure="half the batch"), finished("1"))
            assert await read(stream) == [finished("1")]
            assert ModelCalibrated(model="a", calibration=calibration) in daemon.events
            assert "'a' ran out of memory: half the batch" in caplog.text

    scenario()


@in_loop
async def test_a_drain_lets_what_runs_end_and_then_stops_the_workers() -> None:
    async with Daemon() as daemon:
        stream, worker = await daemon.running("1")
        draining = asyncio.ensure_future(daemon.owner.drain(TIMEOUT_S))
        await asyncio.wait({draining}, timeout=0)
        with pytest.raises(Draining):
            daemon.submit("2")
        worker.say(finished("1"))
        assert await read(stream) == [finished("1")]
        await draining
        assert daemon.states()[-1] == "stopped"


@in_loop
async def test_a_drain_ends_what_runs_past_its_time() -> None:
    async with Daemon() as daemon:
        stream, _ = await daemon.running("1")
        waiting = asyncio.ensure_future(anext(daemon.owner.load("b")))
        await daemon.workers.next()
        await daemon.owner.drain(0.01)
        with pytest.raises(Draining):
            await anext(stream)
        with pytest.raises(Draining):
            await waiting
        assert daemon.states().count("stopped") == 2

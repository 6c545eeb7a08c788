"""Several requests read as one."""

import asyncio

import pytest

from appliance.core.caller import LOCAL
from appliance.core.events import Delta, Finished
from appliance.core.request import GenerateRequest, RequestId, TextPrompt
from appliance.errors import BackendError
from appliance.scheduler.queue_place import QueuePlace
from appliance.service.events import EventStream
from appliance.service.generate import Generation
from tests.fakes import FakeScheduler, accepted, delta, finished


def requests(*ids: str) -> list[GenerateRequest]:
    return [GenerateRequest(id=RequestId(id), model="guide", prompt=TextPrompt(text=id), num_choices=2) for id in ids]


async def begin(scheduler: FakeScheduler, *ids: str) -> EventStream:
    return (await Generation(scheduler).answer(requests(*ids), LOCAL)).events


def test_choices_are_numbered_through() -> None:
    async def run() -> list[tuple[int, str]]:
        stream = await begin(FakeScheduler(), "a", "b", "c")
        return [(event.choice, type(event).__name__) async for event in stream if isinstance(event, Delta | Finished)]

    found = asyncio.run(run())
    assert {choice for choice, _ in found} == set(range(6))
    assert sum(name == "Finished" for _, name in found) == 6


def test_the_first_error_ends_it_and_cancels_the_rest() -> None:
    async def run() -> list[RequestId]:
        scheduler = FakeScheduler()
        scheduler.script = lambda r: [BackendError("died")] if r.id == "b" else [accepted(r)]
        with pytest.raises(BackendError, match="died"):
            async for _ in await begin(scheduler, "a", "b", "c"):
                pass
        return [scheduler.cancelled.get_nowait() for _ in range(scheduler.cancelled.qsize())]

    assert asyncio.run(run()) == ["a", "c"]


def test_cancelling_ends_every_request() -> None:
    async def run() -> int:
        scheduler = FakeScheduler()
        scheduler.script = lambda r: [accepted(r)]
        stream = await begin(scheduler, "a", "b")
        async for _ in stream:
            stream.cancel()
        return scheduler.cancelled.qsize()

    assert asyncio.run(run()) == 2


def test_a_call_stands_where_the_last_of_its_requests_stands() -> None:
    async def run() -> list[int | None]:
        scheduler = FakeScheduler()
        scheduler.script = lambda r: [accepted(r)]
        stream = await begin(scheduler, "a", "b", "c")
        positions = []
        for places in ({"a": 4, "b": 5, "c": 6}, {"b": 3, "c": 2}, {}):
            scheduler.places = {
                RequestId(id): QueuePlace(position=n, estimated_wait_s=None) for id, n in places.items()
            }
            positions.append(stream.queue_place.position if stream.queue_place else None)
        return positions

    assert asyncio.run(run()) == [6, 3, None]


def test_one_request_is_not_wrapped() -> None:
    async def run() -> list[int]:
        scheduler = FakeScheduler()
        scheduler.script = lambda r: [delta(r, "x"), finished(r), finished(r, choice=1)]
        return [event.choice async for event in await begin(scheduler, "a") if isinstance(event, Finished)]

    assert asyncio.run(run()) == [0, 1]

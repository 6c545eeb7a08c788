"""When the daemon says that it is ready."""

import asyncio

import pytest

from appliance.core.events import Finished, ModelState, ModelStateChanged, RequestEnded, SystemEvent, TokensEmitted
from appliance.core.request import EncodeRequest, Request, RequestId
from appliance.core.traits import ModelTask
from appliance.errors import DoesNotFit
from appliance.ops.ready import Readiness
from appliance.ops.warmup import warm_up
from appliance.service.generate import Generation
from tests.fakes import FakeScheduler, finished


def answer(model: str = "guide") -> SystemEvent:
    return TokensEmitted(id=RequestId("r"), model=model, num_tokens=1, interval_s=0.1, is_first=True)


def state(state: ModelState, reason: str = "") -> SystemEvent:
    return ModelStateChanged(model="guide", state=state, reason=reason)


@pytest.mark.parametrize(
    ("events", "is_ready"),
    [
        ([], False),
        ([state("loading"), state("ready")], False),
        ([state("loading"), state("ready"), answer()], True),
        ([answer("other")], False),
        ([answer(), state("stopping"), state("stopped")], True),
        ([answer(), state("ready"), state("failed", "the worker died")], True),
        ([answer(), state("stopped"), state("loading"), state("failed", "no memory")], False),
        ([state("loading"), state("failed", "no memory"), state("loading"), state("ready"), answer()], True),
    ],
)
def test_ready_means_that_the_default_model_answers(events: list[SystemEvent], is_ready: bool) -> None:
    readiness = Readiness("guide")
    for event in events:
        readiness.observe(event)
    assert (readiness.reason is None) == is_ready


def test_the_reason_says_what_failed() -> None:
    readiness = Readiness("guide")
    readiness.observe(state("loading"))
    readiness.observe(state("failed", "no memory"))
    assert readiness.reason == "model 'guide' cannot answer: no memory"


def test_a_draining_daemon_is_not_ready() -> None:
    readiness = Readiness("guide")
    readiness.observe(answer())
    readiness.drain()
    assert readiness.reason == "the daemon is stopping"


def test_the_default_model_is_asked_for_one_token_again_and_again_until_it_answers() -> None:
    async def run() -> FakeScheduler:
        scheduler, readiness = FakeScheduler(), Readiness("guide")
        scheduler.refusal = DoesNotFit("too large", retry_after_s=0.001)

        def script(request: object) -> list[object]:
            if len(scheduler.requests) == 1:
                return [DoesNotFit("still too large", retry_after_s=0.001)]
            readiness.observe(answer())
            return [finished(scheduler.last)]

        scheduler.script = script
        await warm_up(Generation(scheduler), "guide", "generate", readiness)
        assert readiness.reason is None
        return scheduler

    scheduler = asyncio.run(run())
    assert [request.stop.max_tokens for request, _ in scheduler.requests] == [1, 1]
    assert len({request.id for request, _ in scheduler.requests}) == 2


@pytest.mark.parametrize("task", ["embed", "score"])
def test_a_default_model_that_writes_nothing_is_asked_for_what_it_can(task: ModelTask) -> None:
    async def run() -> Request:
        scheduler, readiness = FakeScheduler(), Readiness("guide")

        def script(request: Request) -> list[Finished]:
            ended = RequestEnded(id=request.id, model="guide", caller="local", outcome="stop", duration_s=0.1)
            readiness.observe(ended)
            return [finished(request)]

        scheduler.script = script
        await warm_up(Generation(scheduler), "guide", task, readiness)
        assert readiness.reason is None
        return scheduler.last

    request = asyncio.run(run())
    assert isinstance(request, EncodeRequest)
    assert request.task == task

"""The feed of events: numbered, remembered, followed, and honest about what it has forgotten."""

import asyncio
import logging
from collections.abc import Collection

from appliance.core.events import JobProgressed, JobStateChanged, ModelStateChanged, SystemEvent, TokensEmitted
from appliance.core.feed import FeedEvent
from appliance.core.request import RequestId
from appliance.ops.feed import MAX_EVENTS, Feed


def changed(model: str) -> ModelStateChanged:
    return ModelStateChanged(model=model, state="ready", reason="asked for")


def progress(done: float) -> JobProgressed:
    return JobProgressed(id="job-1", kind="pull", text="", done=done, total=1.0, unit="ratio")


def remembered(
    feed: Feed, after: int | None = None, past: int = 10_000, kinds: Collection[str] = ()
) -> list[FeedEvent]:
    """Return what a follower of a closed feed gets."""

    async def read() -> list[FeedEvent]:
        feed.close()
        return [event async for event in feed.follow(after, past, kinds)]

    return asyncio.run(read())


def observed(*events: SystemEvent) -> Feed:
    feed = Feed(lambda: 100.0)
    for event in events:
        feed.observe(event)
    return feed


def test_events_are_told_in_their_order_with_growing_numbers() -> None:
    first, second = remembered(observed(changed("a"), changed("b")))
    assert (first.type, first.data["model"], second.data["model"]) == ("model.state", "a", "b")
    assert first.seq < second.seq


def test_a_follower_gets_what_comes_while_it_listens() -> None:
    async def follow() -> FeedEvent:
        feed = Feed()
        events = feed.follow(None, 0, ())
        coming = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        feed.observe(changed("late"))
        event = await coming
        await events.aclose()
        return event

    assert asyncio.run(follow()).data["model"] == "late"


def test_whoever_comes_back_gets_what_it_missed() -> None:
    feed = observed(changed("a"), changed("b"), changed("c"))
    seqs = {event.data["model"]: event.seq for event in remembered(feed)}
    assert [event.data["model"] for event in remembered(feed, after=seqs["a"])] == ["b", "c"]


def test_whoever_comes_back_after_a_restart_is_told_that_it_missed_something() -> None:
    earlier = remembered(observed(changed("a")))[-1].seq
    later = Feed(lambda: 200.0)
    later.observe(changed("b"))
    assert [event.type for event in remembered(later, after=earlier)] == ["missed", "model.state"]


def test_what_is_forgotten_is_said_to_be_missed() -> None:
    feed = observed(*(changed(str(number)) for number in range(MAX_EVENTS + 5)))
    oldest = remembered(feed)[0]
    assert oldest.data["model"] == "5"
    assert remembered(feed, after=oldest.seq - 3)[0].type == "missed"
    assert remembered(feed, after=oldest.seq)[0].type == "model.state"


def test_of_the_progress_of_a_job_only_the_newest_is_remembered() -> None:
    feed = observed(progress(0.1), changed("between"), progress(0.2), progress(0.3))
    assert [event.data.get("done", "-") for event in remembered(feed)] == ["-", 0.3]


def test_a_job_that_ended_keeps_its_last_progress_apart_from_the_next_ones() -> None:
    ended = JobStateChanged(id="job-1", kind="pull", state="done", previous="running")
    feed = observed(progress(0.1), ended, progress(0.9))
    assert [event.type for event in remembered(feed)] == ["job.progress", "job.state", "job.progress"]


def test_tokens_are_no_events_of_the_feed() -> None:
    emitted = TokensEmitted(id=RequestId("r"), model="m", num_tokens=1, interval_s=0.1, is_first=True)
    assert remembered(observed(emitted)) == []


def test_followers_choose_the_kinds_that_they_want() -> None:
    feed = observed(changed("a"), progress(0.5))
    assert [event.type for event in remembered(feed, kinds=("job",))] == ["job.progress"]


def test_log_lines_are_events_and_can_be_asked_for_by_level() -> None:
    feed = Feed()
    for level, text in ((logging.INFO, "small"), (logging.WARNING, "grave"), (logging.ERROR, "graver")):
        feed.handle(logging.LogRecord("appliance.x", level, __file__, 1, "%s thing", (text,), None))
    assert [line.message for line in feed.lines("warning", 10)] == ["grave thing", "graver thing"]
    assert [line.message for line in feed.lines("info", 1)] == ["graver thing"]
    assert feed.lines("info", 0) == ()
    events = remembered(feed)
    assert [event.type for event in events] == ["log"] * 3
    assert [event.seq for event in events] == [event.data["seq"] for event in events]


def test_a_line_from_another_thread_wakes_a_follower() -> None:
    async def follow() -> FeedEvent:
        feed = Feed()
        events = feed.follow(None, 0, ())
        coming = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        record = logging.LogRecord("appliance.x", logging.INFO, __file__, 1, "hello", (), None)
        await asyncio.to_thread(feed.handle, record)
        event = await asyncio.wait_for(coming, 10)
        await events.aclose()
        return event

    assert asyncio.run(follow()).data["message"] == "hello"

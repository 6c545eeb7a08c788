"""The response cache over a fake scheduler: computed once, kept, shared while under way, left alone when told to."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from appliance.caches.responses import ResponseFolder
from appliance.core.caller import LOCAL, Caller
from appliance.core.events import Accepted, AnswerLookedUp, Delta, Finished, RequestEvent, SystemEvent
from appliance.core.request import GenerateRequest, RequestId, TextPrompt
from appliance.core.response_cache import CacheMark, CacheScope, CacheWish
from appliance.core.sampling import SamplingParams
from appliance.errors import BackendError, NotCached
from appliance.service.answers.cache import ResponseCache
from appliance.service.events import EventStream
from appliance.settings import CacheSettings
from tests.fakes import FakeScheduler, accepted, delta, finished

T = TypeVar("T")
GREEDY = SamplingParams(temperature=0.0)
ADA = Caller(id="ada", source="key", scope="use")


class Box:
    """A cache with all that it needs, at a time that the test sets."""

    def __init__(self, home: Path, settings: CacheSettings | None = None) -> None:
        self.scheduler = FakeScheduler()
        self.now_s = 1000.0
        self.content = "sha256:1"
        self.events: list[SystemEvent] = []
        self.cache = ResponseCache(
            lambda: ResponseFolder(home / "responses", 2**22),
            settings or CacheSettings(),
            lambda model: self.content,
            self.events.append,
            lambda: self.now_s,
        )
        self._num_asked = 0

    async def ask(
        self,
        text: str = "hello",
        *,
        sampling: SamplingParams = GREEDY,
        wish: CacheWish | None = None,
        caller: Caller = LOCAL,
    ) -> tuple[EventStream, CacheMark]:
        self._num_asked += 1
        id = RequestId(f"r{self._num_asked}")
        request = GenerateRequest(id=id, model="m", prompt=TextPrompt(text=text), sampling=sampling, cache=wish)
        return await self.cache.answer(request, caller, self.scheduler.submit)

    async def outcome(self, text: str = "hello", **how: object) -> str:
        """Ask, read the answer to its end, and return where it came from."""
        stream, mark = await self.ask(text, **how)  # type: ignore[arg-type]  # the keywords of `ask`
        async for _ in stream:
            pass
        return mark.outcome

    @property
    def num_computed(self) -> int:
        return len(self.scheduler.requests)


def in_box(home: Path, work: Callable[[Box], Awaitable[T]], settings: CacheSettings | None = None) -> T:
    async def run() -> T:
        box = Box(home, settings)
        try:
            return await work(box)
        finally:
            await box.cache.close()

    return asyncio.run(run())


async def events_of(stream: EventStream) -> list[RequestEvent]:
    return [event async for event in stream]


def test_the_second_of_two_equal_questions_is_not_computed(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        assert [await box.outcome(), await box.outcome(), await box.outcome("other")] == ["miss", "hit", "miss"]
        assert box.num_computed == 2

    in_box(tmp_path, work)


def test_a_hit_says_the_same_in_the_same_pieces_under_its_own_id(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        first = await events_of((await box.ask())[0])
        again = await events_of((await box.ask())[0])
        assert [type(event) for event in again] == [type(event) for event in first]
        assert {event.id for event in again} == {"r2"}
        texts = [[event.text for event in events if isinstance(event, Delta)] for events in (first, again)]
        assert texts[0] == texts[1] and len(texts[0]) > 1

    in_box(tmp_path, work)


def test_the_usage_of_a_hit_says_that_its_prompt_was_not_computed(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        await box.outcome()
        again = await events_of((await box.ask())[0])
        (end,) = [event for event in again if isinstance(event, Finished)]
        assert end.usage.cached_tokens == end.usage.prompt_tokens > 0
        assert isinstance(again[0], Accepted) and again[0].cached_tokens == again[0].num_prompt_tokens

    in_box(tmp_path, work)


def test_an_answer_outlives_the_daemon(tmp_path: Path) -> None:
    in_box(tmp_path, lambda box: box.outcome())
    assert in_box(tmp_path, lambda box: box.outcome()) == "hit"


def test_what_would_be_drawn_anew_is_only_kept_by_force(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        warm, seeded = SamplingParams(temperature=0.8), SamplingParams(temperature=0.8, seed=7)
        force = CacheWish(mode="force")
        assert [await box.outcome("a", sampling=warm) for _ in range(2)] == ["bypass", "bypass"]
        assert [await box.outcome("b", sampling=seeded) for _ in range(2)] == ["miss", "hit"]
        assert [await box.outcome("c", sampling=warm, wish=force) for _ in range(2)] == ["miss", "hit"]

    in_box(tmp_path, work)


@pytest.mark.parametrize("mode", ["request", "settings"])
def test_switched_off_it_neither_reads_nor_keeps(tmp_path: Path, mode: str) -> None:
    async def work(box: Box) -> None:
        wish = CacheWish(mode="off") if mode == "request" else CacheWish(mode="force")
        assert [await box.outcome(wish=wish) for _ in range(2)] == ["bypass", "bypass"]
        assert (await box.cache.figures()).num_entries == 0

    in_box(tmp_path, work, CacheSettings(mode="off" if mode == "settings" else "auto"))


def test_no_worker_ever_sees_what_was_wished_of_the_cache(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        await box.outcome(wish=CacheWish(mode="force"))
        assert box.scheduler.last.cache is None

    in_box(tmp_path, work)


def test_another_caller_computes_anew_unless_answers_are_shared(tmp_path: Path) -> None:
    async def work(box: Box) -> list[str]:
        return [await box.outcome(caller=caller) for caller in (LOCAL, ADA, ADA)]

    assert in_box(tmp_path / "own", work) == ["miss", "miss", "hit"]
    assert in_box(tmp_path / "all", work, CacheSettings(scope="shared")) == ["miss", "hit", "hit"]


@pytest.mark.parametrize(("allowed", "wished", "outcome"), [("shared", "caller", "miss"), ("caller", "shared", "miss")])
def test_a_request_may_keep_its_answer_to_itself_but_not_take_what_is_not_shared(
    tmp_path: Path, allowed: CacheScope, wished: CacheScope, outcome: str
) -> None:
    async def work(box: Box) -> str:
        await box.outcome(wish=CacheWish(scope=wished))
        return await box.outcome(wish=CacheWish(scope=wished), caller=ADA)

    assert in_box(tmp_path, work, CacheSettings(scope=allowed)) == outcome


def test_another_version_of_the_model_answers_itself(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        await box.outcome()
        box.content = "sha256:2"
        assert await box.outcome() == "miss"

    in_box(tmp_path, work)


def test_an_answer_is_used_no_longer_than_its_time(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        wish = CacheWish(ttl_s=60)
        await box.outcome(wish=wish)
        box.now_s += 59
        assert await box.outcome(wish=wish) == "hit"
        assert await box.outcome(wish=CacheWish(max_age_s=30)) == "miss"

    in_box(tmp_path, work)


def test_a_refreshed_answer_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        await box.outcome()
        box.scheduler.script = lambda request: [accepted(request), delta(request, "new"), finished(request)]
        assert await box.outcome(wish=CacheWish(refreshes=True)) == "miss"
        stream, mark = await box.ask()
        texts = [event.text for event in await events_of(stream) if isinstance(event, Delta)]
        assert (mark.outcome, texts) == ("hit", ["new"])

    in_box(tmp_path, work)


def test_whoever_wants_only_what_is_known_is_told_when_it_is_not(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        with pytest.raises(NotCached, match="only-if-cached"):
            await box.ask(wish=CacheWish(only_cached=True))
        assert box.num_computed == 0

    in_box(tmp_path, work)


def test_equal_questions_under_way_are_computed_once_and_read_from_the_beginning(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        box.scheduler.script = lambda request: [accepted(request), delta(request, "one ")]
        first, first_mark = await box.ask()
        events = aiter(first)
        await anext(events)
        second, second_mark = await box.ask()
        assert (first_mark.outcome, second_mark.outcome, box.num_computed) == ("miss", "shared", 1)
        reading = asyncio.gather(events_of(first), events_of(second))
        await asyncio.sleep(0)
        box.scheduler.tell(box.scheduler.last, delta(box.scheduler.last, "two"), finished(box.scheduler.last))
        _, read = await reading
        assert "".join(event.text for event in read if isinstance(event, Delta)) == "one two"
        assert {event.id for event in read} == {"r2"}

    in_box(tmp_path, work)


def test_thirty_equal_questions_at_once_are_one(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        outcomes = await asyncio.gather(*(box.outcome() for _ in range(30)))
        assert box.num_computed == 1
        assert outcomes.count("miss") == 1

    in_box(tmp_path, work)


def test_the_first_caller_may_go_while_others_wait(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        box.scheduler.script = lambda request: [accepted(request)]
        first, _ = await box.ask()
        second, _ = await box.ask()
        waiting = asyncio.ensure_future(anext(aiter(first)))
        await waiting
        blocked = asyncio.ensure_future(events_of(first))
        reading = asyncio.ensure_future(events_of(second))
        await asyncio.sleep(0)
        blocked.cancel()
        first.cancel()
        await asyncio.sleep(0)
        assert box.scheduler.cancelled.empty()
        box.scheduler.tell(box.scheduler.last, finished(box.scheduler.last))
        assert isinstance((await reading)[-1], Finished)

    in_box(tmp_path, work)


@pytest.mark.parametrize("how", ["cancelled", "dropped"])
def test_the_last_caller_takes_the_computation_along(tmp_path: Path, how: str) -> None:
    async def work(box: Box) -> None:
        box.scheduler.script = lambda request: [accepted(request)]
        first, _ = await box.ask()
        second, _ = await box.ask()
        first.cancel()
        assert box.scheduler.cancelled.empty()
        if how == "cancelled":
            second.cancel()
        else:
            del second
            gc.collect()
            await asyncio.sleep(0)
        assert box.scheduler.cancelled.qsize() == 1
        assert (await box.ask())[1].outcome == "miss"

    in_box(tmp_path, work)


def test_a_failure_reaches_everybody_and_is_not_kept(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        box.scheduler.script = lambda request: [accepted(request), BackendError("died")]
        streams = [(await box.ask())[0] for _ in range(2)]
        for stream in streams:
            with pytest.raises(BackendError, match="died"):
                await events_of(stream)
        box.scheduler.script = lambda request: [accepted(request), finished(request)]
        assert await box.outcome() == "miss"

    in_box(tmp_path, work)


def test_a_stream_read_half_leaves_nothing_behind(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        stream, _ = await box.ask()
        await anext(aiter(stream))
        stream.cancel()
        assert await box.outcome() == "miss"

    in_box(tmp_path, work)


def test_cleared_it_knows_nothing_any_more(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        await box.outcome()
        assert (await box.cache.clear()).num_entries == 1
        assert await box.outcome() == "miss"

    in_box(tmp_path, work)


def test_the_figures_count_what_was_saved(tmp_path: Path) -> None:
    async def work(box: Box) -> None:
        for _ in range(3):
            await box.outcome()
        figures = await box.cache.figures()
        assert (figures.num_hits, figures.num_misses, figures.num_entries) == (2, 1, 1)
        assert figures.saved_tokens > 0 and figures.disk_bytes > 0 and figures.memory_bytes > 0
        outcomes = [event.outcome for event in box.events if isinstance(event, AnswerLookedUp)]
        assert outcomes == ["miss", "hit", "hit"]

    in_box(tmp_path, work)

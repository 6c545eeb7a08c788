"""Who follows something: what they are shown, and how that ends."""

import asyncio

import msgspec
import pytest

from appliance.errors import Draining, StorageError
from appliance.jobs.followers import Followers


class Work(msgspec.Struct, frozen=True):
    step: int
    has_ended: bool = False


class Source:
    """What is read, and by whom."""

    def __init__(self) -> None:
        self.followers = Followers("work")
        self.work = Work(0)
        self.is_closed = False

    async def read(self) -> Work:
        if self.is_closed:
            raise StorageError("closed")
        return self.work

    def change(self, work: Work) -> None:
        self.work = work
        self.followers.wake("a")


def test_each_follower_sees_every_state_that_it_waited_for_and_the_last() -> None:
    async def scenario() -> None:
        source = Source()
        both = [source.followers.follow("a", source.read) for _ in range(2)]
        for work in (Work(0), Work(1), Work(2, has_ended=True)):
            waiting = [asyncio.create_task(anext(each)) for each in both]
            await asyncio.sleep(0)
            source.change(work)
            assert await asyncio.gather(*waiting) == [work] * 2
        for each in both:
            with pytest.raises(StopAsyncIteration):
                await anext(each)

    asyncio.run(scenario())


def test_what_changes_while_it_is_shown_is_shown_next() -> None:
    async def scenario() -> None:
        source = Source()
        news = source.followers.follow("a", source.read)
        assert await anext(news) == Work(0)
        source.change(Work(1))
        source.change(Work(2, has_ended=True))
        assert [work async for work in news] == [Work(2, has_ended=True)]

    asyncio.run(scenario())


def test_at_the_end_of_the_daemon_followers_hear_that_it_goes_on_and_nothing_is_read_any_more() -> None:
    async def scenario() -> None:
        source = Source()
        news = source.followers.follow("a", source.read)
        assert await anext(news) == Work(0)
        waiting = asyncio.create_task(anext(news))
        await asyncio.sleep(0)
        source.followers.close()
        source.is_closed = True
        with pytest.raises(Draining, match="work a goes on when it is back"):
            await waiting

    asyncio.run(scenario())


def test_who_comes_while_the_daemon_ends_is_shown_what_there_is() -> None:
    async def scenario() -> None:
        source = Source()
        source.followers.close()
        news = source.followers.follow("a", source.read)
        assert await anext(news) == Work(0)
        with pytest.raises(Draining):
            await anext(news)

    asyncio.run(scenario())


def test_nothing_is_remembered_of_what_nobody_follows_any_more() -> None:
    async def scenario() -> None:
        source = Source()
        news = source.followers.follow("a", source.read)
        assert await anext(news) == Work(0)
        await news.aclose()
        assert not source.followers._news

    asyncio.run(scenario())

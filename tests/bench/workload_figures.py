"""What scenarios have in common: their figures, and requests that are under way together."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Protocol, TypeVar

from tests.bench.workload_client import Answer, Site

Figures = dict[str, float]
T = TypeVar("T")


class NotApplicable(Exception):
    """This server, or the way it was started, does not allow the scenario."""


class Scenario(Protocol):
    """A workload with its sizes."""

    async def run(self, site: Site) -> Figures:
        """Ask one server. Raises: ConnectionError, OSError, NotApplicable."""
        ...


class Gate:
    """Opens at the given number of arrivals of text."""

    def __init__(self, num_wanted: int) -> None:
        self._num_missing = num_wanted
        self._reached = asyncio.Event()

    def count(self) -> None:
        """Note one arrival."""
        self._num_missing -= 1
        if self._num_missing <= 0:
            self._reached.set()

    async def is_reached(self) -> None:
        """Wait for it to open."""
        await self._reached.wait()

    async def guard(self, answering: Awaitable[T]) -> T:
        """Return the answer; whoever waits goes on at its end, also when it was shorter."""
        try:
            return await answering
        finally:
            self._reached.set()


async def together(work: Iterable[Awaitable[T]]) -> list[T]:
    """Return all results in order; the first failure ends all the others."""

    async def one(awaitable: Awaitable[T]) -> T:
        return await awaitable

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(awaitable)) for awaitable in work]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def mean_ttft_s(answers: list[Answer]) -> float:
    """Return the mean time to the first text."""
    return sum(answer.time_to_first_text_s for answer in answers) / len(answers)


def gaps_after(answer: Answer, moment_s: float) -> list[float]:
    """Return the times between arrivals of text, of those that ended after a moment."""
    ends_s = answer.arrivals_s[1:]
    return [gap_s for gap_s, end_s in zip(answer.gaps_s, ends_s, strict=True) if end_s > moment_s]

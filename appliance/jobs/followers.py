"""Those who watch something until it has ended: shown it as it is, and again whenever it changed."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol, TypeVar
from weakref import WeakValueDictionary

from appliance.errors import Draining


class Ending(Protocol):
    """What goes through states, the last of which it keeps."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it changes any more."""


E = TypeVar("E", bound=Ending)


class Followers:
    """Owns who waits for news of what. Every method runs on the event loop."""

    def __init__(self, what: str) -> None:
        """`what` is the noun of what they watch."""
        self._what = what
        # Of each that is watched, the event of its next change; it is gone with the last who waits for it
        self._news: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
        self._is_closing = False

    async def follow(self, id: str, read: Callable[[], Awaitable[E]]) -> AsyncGenerator[E, None]:
        """Yield what `read` returns now and whenever that changed, until it has ended. Raises: Draining."""
        shown: E | None = None
        while True:
            # Before it is read: what changes meanwhile is news
            news = self._news.setdefault(id, asyncio.Event())
            found = await read()
            if found != shown:
                yield found
            if found.has_ended:
                return
            shown = found
            if not self._is_closing:
                await news.wait()
            # Not read once more: what it would be read from may be closed already
            if self._is_closing:
                raise Draining(f"the daemon is stopping; {self._what} {id} goes on when it is back")

    def wake(self, id: str) -> None:
        """Let those who watch `id` look again."""
        if news := self._news.pop(id, None):
            news.set()

    def close(self) -> None:
        """End all watching: what has not ended goes on with the next daemon."""
        self._is_closing = True
        for id in list(self._news):
            self.wake(id)

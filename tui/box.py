"""One appliance as the terminal sees it: what it says of itself, what it is asked, and whether it can be reached.

Owns the threads that wait for the network; everything that it tells, it tells on the event loop. Knows no screen.
"""

import asyncio
import contextlib
import contextvars
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from appliance.client import Client, ClientError
from appliance.core.admin import Status
from appliance.core.feed import FeedEvent

STATUS_EVERY_S = 1.0
GATHER_S = 0.1
"""Events of so long are told together: a batch ends thousands of requests, and a screen is painted once."""
PATIENCE_S = (0.5, 1.0, 2.0, 4.0)
"""Waits between tries to reach a box again."""
NUM_PAST_EVENTS = 200

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StatusCame:
    """What the box does at this moment. Once a second, while it can be reached."""

    status: Status


@dataclass(frozen=True, slots=True)
class Happened:
    """Things that happened on the box, in their order."""

    events: tuple[FeedEvent, ...]


@dataclass(frozen=True, slots=True)
class Connected:
    """The box answers: for the first time, or again."""

    is_again: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """The box does not answer, or not to this key; `reason` is a sentence for people."""

    reason: str
    is_refused: bool


News = StatusCame | Happened | Connected | Lost


class Box:
    """Asks one appliance and tells what it hears. Made, started and asked on the event loop."""

    def __init__(self, connect: Callable[[], Client], tell: Callable[[News], None]) -> None:
        """`connect` gives a client of its own to each that waits. Raises: ClientError (an address that is none)."""
        self._connect = connect
        self._tell = tell
        self._poller, self._follower = connect(), connect()
        self.url = self._poller.url
        self.status: Status | None = None
        self.lost: Lost | None = None
        self._was_connected = False
        self._gathered: deque[FeedEvent] = deque()
        self._stopped = threading.Event()
        self._wanted = threading.Event()
        self._at_work: set[Client] = set()

    def start(self) -> None:
        """Begin to listen to the box."""
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()  # in it Textual keeps which application is running
        threading.Thread(target=self._poll, name="status of the box", daemon=True).start()
        threading.Thread(target=self._follow, name="events of the box", daemon=True).start()

    def stop(self) -> None:
        """End everything that waits for the box."""
        self._stopped.set()
        self._wanted.set()
        for client in (self._poller, self._follower, *self._at_work):
            client.hang_up()

    def hurry(self) -> None:
        """Ask for the status now: it was changed."""
        self._wanted.set()

    async def ask(self, call: Callable[[Client], T]) -> T:
        """Return what `call` returns; it may take its time. Raises: ClientError, NoDaemon."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def work(client: Client) -> None:
            try:
                result = call(client)
            except BaseException as error:  # whatever it is belongs to whoever asked
                self._later(_fail, answer, error)
            else:
                self._later(_answer, answer, result)

        with self._working(work):
            return await answer

    async def stream(self, call: Callable[[Client], Generator[T, None, None]]) -> AsyncGenerator[T, None]:
        """Yield what `call` yields, as it comes; closing it hangs up. Raises: ClientError, NoDaemon."""
        came: asyncio.Queue[tuple[T | None, BaseException | None, bool]] = asyncio.Queue()

        def work(client: Client) -> None:
            try:
                with contextlib.closing(call(client)) as items:
                    for item in items:
                        self._later(came.put_nowait, (item, None, False))
            except BaseException as error:  # as above
                self._later(came.put_nowait, (None, error, False))
            else:
                self._later(came.put_nowait, (None, None, True))

        with self._working(work):
            while True:
                item, error, has_ended = await came.get()
                if error is not None:
                    raise error
                if has_ended:
                    return
                yield item  # type: ignore[misc]  # neither an error nor the end: it is what came

    @contextlib.contextmanager
    def _working(self, work: Callable[[Client], None]) -> Generator[None, None, None]:
        client = self._connect()
        self._at_work.add(client)
        threading.Thread(target=work, args=(client,), name="a question to the box", daemon=True).start()
        try:
            yield
        finally:
            self._at_work.discard(client)
            client.hang_up()

    def _poll(self) -> None:
        num_failures = 0
        while not self._stopped.is_set():
            if num_failures:
                self._poller = self._anew(self._poller)
            try:
                status = self._poller.status()
            except ClientError as error:
                self._later(self._failed, error)
                pause_s = PATIENCE_S[min(num_failures, len(PATIENCE_S) - 1)]
                num_failures += 1
            else:
                self._later(self._came, status)
                num_failures, pause_s = 0, STATUS_EVERY_S
            self._wanted.wait(pause_s)
            if not self._stopped.is_set():
                self._wanted.clear()

    def _follow(self) -> None:
        seq: int | None = None
        while not self._stopped.is_set():
            with contextlib.suppress(ClientError):  # the other thread says what is wrong
                for event in self._follower.events(last=NUM_PAST_EVENTS, after=seq):
                    seq = event.seq
                    self._gathered.append(event)
                    if len(self._gathered) == 1:
                        self._later(self._loop.call_later, GATHER_S, self._tell_gathered)
            self._stopped.wait(STATUS_EVERY_S)
            self._follower = self._anew(self._follower)

    def _anew(self, client: Client) -> Client:
        """Return a client to try again with: a box that was started anew has another key for its own machine."""
        with contextlib.suppress(ClientError):
            fresh = self._connect()
            if fresh.url != client.url:
                self.url = fresh.url
            return fresh
        return client

    def _came(self, status: Status) -> None:
        self.status = status
        if self.lost is not None or not self._was_connected:
            self.lost = None
            is_again, self._was_connected = self._was_connected, True
            self._tell(Connected(is_again))
        self._tell(StatusCame(status))

    def _failed(self, error: ClientError) -> None:
        self.lost = Lost(str(error), is_refused=error.status in (401, 403))
        self._tell(self.lost)

    def _tell_gathered(self) -> None:
        events = []
        while self._gathered:
            events.append(self._gathered.popleft())
        if events and not self._stopped.is_set():
            self._tell(Happened(tuple(events)))

    def _later(self, call: Callable[..., object], *arguments: object) -> None:
        """Call on the event loop, from another thread; after the end of the loop nobody is left to hear it."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments, context=self._context)


def _answer(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[T]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)

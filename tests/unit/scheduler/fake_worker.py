"""A worker without a process: it speaks real frames over a real socket, and says what the test tells it to say."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import TypeVar

from appliance.core.events import Delta
from appliance.core.messages import FromWorker, Load, Pause, Ready, Resume, ToWorker
from appliance.core.request import RequestId
from appliance.link.channel import Channel
from appliance.link.frames import decoder_for_worker, encode_frame
from tests.unit.scheduler.builders import GIB, traits

Message = TypeVar("Message", bound=ToWorker)


class FakeWorker:
    """Both ends of the link: the daemon's channel, and a worker driven by the test."""

    def __init__(
        self, on_messages: Callable[[list[FromWorker]], None], on_exit: Callable[[str], None], exit_cause: str
    ) -> None:
        daemon, self._socket = socket.socketpair()
        self._socket.setblocking(False)
        self._decoder = decoder_for_worker()
        self._received: asyncio.Queue[ToWorker] = asyncio.Queue()
        self.paused: set[RequestId] = set()
        self._exit_cause = exit_cause
        self._on_exit = on_exit
        self._channel = Channel(daemon, on_messages, self._on_closed)
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    # The daemon's side: what the pool calls

    def send(self, messages: Sequence[ToWorker]) -> None:
        self._channel.send(messages)

    def terminate(self, grace_s: float) -> None:
        self.die("exited with code 0")

    # The worker's side: what the test does

    async def next(self, kind: type[Message]) -> Message:
        """Wait for the next message, which has to be of this kind."""
        message = await self._received.get()
        assert isinstance(message, kind), message
        return message

    def has_received_more(self) -> bool:
        return not self._received.empty()

    async def become_ready(self) -> None:
        await self.next(Load)
        self.say(Ready(traits=traits(), memory_bytes=GIB))

    def say(self, *messages: FromWorker) -> None:
        """Send one frame. Nothing is written for a request that is paused."""
        assert not any(isinstance(message, Delta) and message.id in self.paused for message in messages)
        self._socket.sendall(encode_frame(messages))

    def die(self, cause: str) -> None:
        if self._socket.fileno() >= 0:
            self._exit_cause = cause
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def _read(self) -> None:
        if data := self._socket.recv(2**16):
            for batch in self._decoder.feed(data):
                for message in batch:
                    self._received.put_nowait(message)
                    if isinstance(message, Pause):
                        self.paused.add(message.id)
                    elif isinstance(message, Resume):
                        self.paused.remove(message.id)
        else:
            self.die(self._exit_cause)

    def _on_closed(self, fault: str | None) -> None:
        self._on_exit(fault or self._exit_cause)


class FakeWorkers:
    """The `spawn` of a loop under test; hands each new worker to the test."""

    def __init__(self) -> None:
        self._workers: asyncio.Queue[FakeWorker] = asyncio.Queue()
        self.num_started = 0

    def spawn(
        self, model: str, on_messages: Callable[[list[FromWorker]], None], on_exit: Callable[[str], None]
    ) -> FakeWorker:
        self.num_started += 1
        worker = FakeWorker(on_messages, on_exit, "exited with code 0")
        self._workers.put_nowait(worker)
        return worker

    async def next(self) -> FakeWorker:
        return await self._workers.get()

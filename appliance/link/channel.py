"""The daemon's end of a socket to a worker, on the event loop. Knows frames; no process and no request."""

import asyncio
import socket
from collections.abc import Callable, Sequence

from appliance.core.messages import FromWorker, ToWorker

from .frames import LinkBroken, decoder_for_daemon, encode_frames

_RECEIVE_BYTES = 2**18


class Channel:
    """Sends and receives frames without ever waiting.

    The socket is watched directly instead of through a transport: a transport can only be had by awaiting, and a
    worker is started by the scheduler, which never awaits.
    """

    def __init__(
        self,
        connection: socket.socket,
        on_messages: Callable[[list[FromWorker]], None],
        on_closed: Callable[[str | None], None],
    ) -> None:
        """Begin to listen. `on_closed` is called once and last, with what the worker did wrong, or None."""
        connection.setblocking(False)
        self._connection = connection
        self._on_messages = on_messages
        self._on_closed = on_closed
        self._decoder = decoder_for_daemon()
        self._unsent = bytearray()
        self._is_open = True
        self._is_writer_set = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(connection, self._receive)

    def send(self, messages: Sequence[ToWorker]) -> None:
        """Send a frame, or keep what the socket does not take now. Does nothing once the channel is closed."""
        if not self._is_open:
            return
        try:
            self._unsent += encode_frames(messages)
        except LinkBroken as error:
            self._loop.call_soon(self.close, str(error))
            return
        self._flush()

    def close(self, fault: str | None = None) -> None:
        """Close the socket, which tells the worker to end."""
        if not self._is_open:
            return
        self._is_open = False
        self._loop.remove_reader(self._connection)
        self._loop.remove_writer(self._connection)
        self._connection.close()
        self._on_closed(fault)

    def _flush(self) -> None:
        try:
            num_sent = self._connection.send(self._unsent)
        except BlockingIOError:
            num_sent = 0
        except OSError:
            # The worker is gone. What it sent before is still to be read, and the end of that closes the channel.
            num_sent = len(self._unsent)
        del self._unsent[:num_sent]
        has_rest = bool(self._unsent)
        if has_rest and not self._is_writer_set:
            self._loop.add_writer(self._connection, self._flush)
        elif self._is_writer_set and not has_rest:
            self._loop.remove_writer(self._connection)
        self._is_writer_set = has_rest

    def _receive(self) -> None:
        try:
            data = self._connection.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            # Half a frame may be left: the worker died while it wrote. How it died says more than that.
            self.close()
            return
        try:
            batches = self._decoder.feed(data)
        except LinkBroken as error:
            self.close(f"sent what is no frame: {error}")
            return
        for batch in batches:
            self._on_messages(batch)

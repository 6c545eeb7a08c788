"""Frames: a batch of messages as bytes and back. Knows no event loop, no process, no request.

A frame is the length of its body as 4 bytes, little-endian, then the body: a msgpack list of tagged structs. All that
a step produced travels in one frame, so a step costs one write, one wake-up and one decode however many streams run.
"""

import socket
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

import msgspec

from appliance.core.messages import FromWorker, ToWorker

HEADER_BYTES = 4
MAX_FRAME_BYTES = 2**28
"""Eight requests of the largest size in one batch, and less than any four ASCII letters read as a length: text that a
library prints into the wrong descriptor is told from a frame at once."""

_RECEIVE_BYTES = 2**16
_encoder = msgspec.msgpack.Encoder()

Message = TypeVar("Message")


class LinkBroken(Exception):
    """The other side sent what is no frame, or the connection ended within one."""


def encode_frame(messages: Sequence[ToWorker] | Sequence[FromWorker]) -> bytearray:
    """Return the frame that holds `messages`. Raises: LinkBroken, when it would be longer than the limit."""
    frame = bytearray(HEADER_BYTES)
    _encoder.encode_into(messages, frame, HEADER_BYTES)
    num_body_bytes = len(frame) - HEADER_BYTES
    if num_body_bytes > MAX_FRAME_BYTES:
        raise LinkBroken(f"a frame of {num_body_bytes} bytes is longer than the limit of {MAX_FRAME_BYTES}")
    frame[:HEADER_BYTES] = num_body_bytes.to_bytes(HEADER_BYTES, "little")
    return frame


def encode_frames(messages: Sequence[ToWorker]) -> bytearray:
    """Return what holds `messages`: one frame or, where that would be too long, several in the same order.

    Requests with pictures that waited for the same model can be more than a frame together. Raises: LinkBroken.
    """
    try:
        return encode_frame(messages)
    except LinkBroken:
        if len(messages) < 2:
            raise
    half = len(messages) // 2
    return encode_frames(messages[:half]) + encode_frames(messages[half:])


class FrameDecoder(Generic[Message]):
    """Turns received bytes, cut anywhere, into the lists of messages they hold."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[list[Message]]) -> None:
        self._decoder = decoder
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[list[Message]]:
        """Return the batches that `data` completes. Raises: LinkBroken."""
        self._buffer += data
        batches = []
        start = 0
        while len(self._buffer) - start >= HEADER_BYTES:
            body = start + HEADER_BYTES
            num_body_bytes = int.from_bytes(self._buffer[start:body], "little")
            if num_body_bytes > MAX_FRAME_BYTES:
                raise LinkBroken(f"a frame claims {num_body_bytes} bytes: {bytes(self._buffer[start : start + 40])!r}")
            if len(self._buffer) - body < num_body_bytes:
                break
            start = body + num_body_bytes
            batches.append(self._decode(self._buffer[body:start]))
        del self._buffer[:start]
        return batches

    def finish(self) -> None:
        """Accept the end of the connection. Raises: LinkBroken, when it cut a frame in two."""
        if self._buffer:
            raise LinkBroken(f"the connection ended {len(self._buffer)} bytes into a frame")

    def _decode(self, body: bytearray) -> list[Message]:
        try:
            return self._decoder.decode(body)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise LinkBroken(f"a frame cannot be read: {error}") from error


def decoder_for_worker() -> FrameDecoder[ToWorker]:
    """Return a decoder of what the daemon sends."""
    return FrameDecoder(_TO_WORKER)


def decoder_for_daemon() -> FrameDecoder[FromWorker]:
    """Return a decoder of what a worker sends."""
    return FrameDecoder(_FROM_WORKER)


_TO_WORKER: msgspec.msgpack.Decoder[list[ToWorker]] = msgspec.msgpack.Decoder(list[ToWorker])
_FROM_WORKER: msgspec.msgpack.Decoder[list[FromWorker]] = msgspec.msgpack.Decoder(list[FromWorker])


def send_frame(connection: socket.socket, messages: Sequence[FromWorker]) -> None:
    """Send one frame and wait until the system took it. Worker side. Raises: OSError, when the daemon is gone."""
    connection.sendall(encode_frame(messages))


class FrameReader:
    """Yields the batches that the daemon sends, waiting for each; ends when the daemon closes. Worker side."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def __iter__(self) -> Iterator[list[ToWorker]]:
        """Yield batch after batch. Raises: LinkBroken."""
        decoder = decoder_for_worker()
        while data := self._connection.recv(_RECEIVE_BYTES):
            yield from decoder.feed(data)
        decoder.finish()

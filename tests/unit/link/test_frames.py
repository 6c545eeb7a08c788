"""Frames come out as they went in, however the socket cuts them; what is no frame is told at once."""

import socket

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.events import Delta
from appliance.core.messages import Cancel, FromWorker, Loading, Stop, ToWorker
from appliance.core.request import RequestId
from appliance.link.frames import (
    MAX_FRAME_BYTES,
    FrameReader,
    LinkBroken,
    decoder_for_daemon,
    decoder_for_worker,
    encode_frame,
    encode_frames,
    send_frame,
)

deltas = st.builds(
    Delta,
    id=st.text(max_size=8).map(RequestId),
    choice=st.integers(0, 7),
    num_tokens=st.integers(1, 4),
    text=st.text(max_size=20),
)
batches_of_deltas = st.lists(st.lists(deltas, min_size=1, max_size=5), min_size=1, max_size=6)


@given(batches_of_deltas, st.lists(st.integers(1, 40), min_size=1))
def test_frames_survive_any_cut(batches: list[list[FromWorker]], cuts: list[int]) -> None:
    stream = b"".join(encode_frame(batch) for batch in batches)
    decoder = decoder_for_daemon()
    received = []
    for number in range(len(stream)):
        size = cuts[number % len(cuts)]
        received += decoder.feed(stream[:size])
        stream = stream[size:]
    decoder.finish()
    assert received == batches


@pytest.mark.parametrize(
    ("garbage", "said"),
    [
        (b"Traceback (most recent call last)", "Traceback"),
        ((MAX_FRAME_BYTES + 1).to_bytes(4, "little"), str(MAX_FRAME_BYTES + 1)),
        (b"\x03\0\0\0\xc1\xc1\xc1", "cannot be read"),
        (b"\x02\0\0\0\x91\x05", "cannot be read"),
        (bytes(encode_frame([Stop()])), "cannot be read"),
    ],
    ids=["text", "too long", "no msgpack", "no struct", "a message of the other direction"],
)
def test_garbage_breaks_the_link(garbage: bytes, said: str) -> None:
    with pytest.raises(LinkBroken, match=said):
        decoder_for_daemon().feed(garbage)


def test_a_frame_that_is_cut_off_breaks_the_link() -> None:
    decoder = decoder_for_worker()
    assert decoder.feed(bytes(encode_frame([Stop()]))[:-1]) == []
    with pytest.raises(LinkBroken, match="ended"):
        decoder.finish()


def test_a_frame_past_the_limit_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.link.frames.MAX_FRAME_BYTES", 8)
    with pytest.raises(LinkBroken, match="longer than the limit"):
        encode_frame([Cancel(id=RequestId("a request with a long name"))])


def test_messages_that_are_too_long_together_go_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[ToWorker] = [Cancel(id=RequestId(name)) for name in "abcde"]
    assert len(decoder_for_worker().feed(encode_frames(sent))) == 1
    monkeypatch.setattr("appliance.link.frames.MAX_FRAME_BYTES", 2 * len(encode_frame(sent[:1])))
    batches = decoder_for_worker().feed(encode_frames(sent))
    assert len(batches) > 1 and [message for batch in batches for message in batch] == sent
    monkeypatch.setattr("appliance.link.frames.MAX_FRAME_BYTES", 8)
    with pytest.raises(LinkBroken, match="longer than the limit"):
        encode_frames(sent)


def test_a_worker_reads_batch_after_batch_until_the_daemon_closes() -> None:
    daemon, worker = socket.socketpair()
    sent: list[list[ToWorker]] = [[Cancel(id=RequestId("a")), Stop()], [Stop()]]
    with worker:
        with daemon:
            for batch in sent:
                daemon.sendall(encode_frame(batch))
        assert list(FrameReader(worker)) == sent


def test_what_a_worker_sends_is_one_frame() -> None:
    daemon, worker = socket.socketpair()
    with daemon, worker:
        send_frame(worker, [Loading(ratio=0.5), Loading(ratio=1.0)])
        assert decoder_for_daemon().feed(daemon.recv(1000)) == [[Loading(ratio=0.5), Loading(ratio=1.0)]]


def test_the_body_is_plain_msgpack_after_a_little_endian_length() -> None:
    frame = encode_frame([Stop()])
    assert int.from_bytes(frame[:4], "little") == len(frame) - 4
    assert msgspec.msgpack.decode(frame[4:]) == [{"type": "stop"}]

"""Requests with media are prepared one after the other beside everything else, and not after they were cancelled."""

import threading
from collections.abc import Callable
from queue import SimpleQueue

from appliance.core.request import EncodeRequest, ReadRequest, RequestId, TextPrompt
from appliance.engine.media_desk import MediaDesk, has_media
from tests.unit.engine.engine_bench import chat
from tests.unit.engine.test_engine_media import CAT, show

TIMEOUT_S = 5.0


class Desk:
    """A desk whose work is held up until `go`."""

    def __init__(self) -> None:
        self.desk = MediaDesk()
        self.begun: SimpleQueue[str] = SimpleQueue()
        self.done: SimpleQueue[str] = SimpleQueue()
        self._go = threading.Semaphore(0)

    def take(self, name: str) -> None:
        def prepare() -> Callable[[], None]:
            self.begun.put(name)
            assert self._go.acquire(timeout=TIMEOUT_S)
            return lambda: self.done.put(name)

        self.desk.take(RequestId(name), prepare)

    def go(self) -> None:
        self._go.release()


def test_requests_are_prepared_in_their_order() -> None:
    desk = Desk()
    for name in ("a", "b"):
        desk.take(name)
        desk.go()
    assert [desk.done.get(timeout=TIMEOUT_S) for _ in range(2)] == ["a", "b"]


def test_what_is_cancelled_while_it_waits_or_is_prepared_goes_no_further() -> None:
    desk = Desk()
    for name in ("a", "b", "c"):
        desk.take(name)
    assert desk.begun.get(timeout=TIMEOUT_S) == "a"
    for name in ("a", "b"):
        desk.desk.cancel(RequestId(name))
    for _ in range(2):
        desk.go()
    assert desk.done.get(timeout=TIMEOUT_S) == "c"
    assert desk.begun.get(timeout=TIMEOUT_S) == "c"
    assert desk.done.empty()


def test_only_chats_with_media_go_there() -> None:
    assert has_media(show("a", "|", CAT))
    assert not has_media(chat("b", "text"))
    for request, is_there in ((show("a", "|", CAT), True), (chat("b", "text"), False)):
        assert has_media(ReadRequest(id=request.id, model="m", prompt=request.prompt)) is is_there
    assert not has_media(EncodeRequest(id=RequestId("c"), model="m", task="embed", inputs=(TextPrompt(text="x"),)))

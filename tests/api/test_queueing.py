"""What a caller is told of its place in the queue."""

from typing import Any

import httpx
import openai as library
import pytest
from openai import OpenAI

from appliance.api.queueing import queue_comment, queue_headers
from appliance.api.sse import StreamTiming
from appliance.errors import DeadlineExceeded
from appliance.scheduler.queue_place import QueuePlace
from tests.api.conftest import Daemon
from tests.fakes import accepted, delta, finished

HI: list[Any] = [{"role": "user", "content": "Hi"}]
BODIES: dict[str, dict[str, Any]] = {"chat/completions": {"messages": HI}, "completions": {"prompt": "Hi"}}
THIRD = QueuePlace(position=3, estimated_wait_s=4.25)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", BODIES)
def test_a_response_that_had_to_wait_says_where_it_stood_and_how_long_that_might_take(
    http: httpx.Client, daemon: Daemon, path: str, stream: bool
) -> None:
    daemon.scheduler.place = THIRD
    headers = http.post(f"/v1/{path}", json=BODIES[path] | {"stream": stream}).headers
    assert (headers["x-queue-position"], headers["x-estimated-wait-s"]) == ("3", "4.2")


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_that_did_not_wait_says_so(http: httpx.Client, stream: bool) -> None:
    headers = http.post("/v1/chat/completions", json={"messages": HI, "stream": stream}).headers
    assert headers["x-queue-position"] == "0"
    assert "x-estimated-wait-s" not in headers


def test_of_many_prompts_the_place_of_the_last_counts(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.place = THIRD
    headers = http.post("/v1/completions", json={"prompt": ["a", "b"]}).headers
    assert headers["x-queue-position"] == "3"


def test_a_time_that_nobody_knows_is_left_out() -> None:
    unknown = QueuePlace(position=2, estimated_wait_s=None)
    assert queue_headers(unknown) == [(b"x-queue-position", b"2")]
    assert queue_comment(unknown) == b": queue position 2\n\n"


def test_no_wait_is_shorter_than_a_second_in_words() -> None:
    assert queue_comment(QueuePlace(position=1, estimated_wait_s=0.2)) == b": queue position 1, about 1 s\n\n"


def test_a_request_past_its_deadline_fails_and_the_library_does_not_send_it_again(
    openai: OpenAI, daemon: Daemon
) -> None:
    daemon.scheduler.script = lambda r: [accepted(r), delta(r, "Hel"), DeadlineExceeded("too late")]
    with pytest.raises(library.APIStatusError) as caught:
        openai.with_options(max_retries=2).chat.completions.create(model="guide", messages=HI)
    assert (caught.value.status_code, caught.value.code) == (504, "deadline_exceeded")
    assert len(daemon.scheduler.requests) == 1


class TestComments:
    @pytest.fixture
    def timing(self) -> StreamTiming:
        return StreamTiming(headers_after_s=0.01, comment_every_s=0.01)

    def test_a_stream_that_waits_sees_the_queue_move_and_then_its_answer(
        self, http: httpx.Client, daemon: Daemon
    ) -> None:
        daemon.scheduler.script = lambda r: [accepted(r)]
        daemon.scheduler.place = THIRD
        with http.stream("POST", "/v1/chat/completions", json={"messages": HI, "stream": True}) as response:
            lines = (line for line in response.iter_lines() if line)
            assert next(lines) == ": queue position 3, about 4 s"
            request, places = daemon.scheduler.last, daemon.scheduler.places
            daemon.do(lambda: places.update({request.id: QueuePlace(position=1, estimated_wait_s=1.6)}))
            assert ": queue position 1, about 2 s" in lines
            daemon.do(places.clear)
            assert ": keep-alive" in lines
            daemon.do(lambda: daemon.scheduler.tell(request, delta(request, "Hello"), finished(request)))
            assert "data: [DONE]" in lines

    def test_the_library_reads_past_the_comments(self, openai: OpenAI, daemon: Daemon) -> None:
        daemon.scheduler.script = lambda r: [accepted(r)]
        daemon.scheduler.place = THIRD
        with openai.chat.completions.create(model="guide", messages=HI, stream=True) as stream:
            assert stream.response.headers["x-queue-position"] == "3"
            request = daemon.scheduler.last
            daemon.do(lambda: daemon.scheduler.tell(request, delta(request, "Hello"), finished(request)))
            assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "Hello"

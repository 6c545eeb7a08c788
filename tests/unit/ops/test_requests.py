"""The account of requests: what events make of it, and how long it remembers."""

from typing import Any

import pytest

from appliance.core.admin import RequestStatus
from appliance.core.events import (
    Outcome,
    RequestAccepted,
    RequestEnded,
    RequestPaused,
    RequestQueued,
    Timings,
    TokensEmitted,
)
from appliance.core.request import RequestId
from appliance.errors import RequestNotFound
from appliance.ops.requests import NUM_ENDED, RECENT_S, RequestLog


class Bench:
    """A log with a clock of its own, and short words for events."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.log = RequestLog(clock=lambda: self.now_s, wall=lambda: 1.8e9 + self.now_s)

    def queue(self, id: str, *, arrived_s: float | None = None) -> None:
        self.now_s = self.now_s if arrived_s is None else arrived_s
        self.log.observe(RequestQueued(id=RequestId(id), model="guide", caller="ada", priority="batch"))

    def accept(self, id: str, cached_tokens: int = 60) -> None:
        self.log.observe(
            RequestAccepted(
                id=RequestId(id), model="guide", num_prompt_tokens=100, cached_tokens=cached_tokens, queue_s=0.5
            )
        )

    def emit(self, id: str, interval_s: float, num_tokens: int = 1, *, is_first: bool = False) -> None:
        self.log.observe(
            TokensEmitted(
                id=RequestId(id), model="guide", num_tokens=num_tokens, interval_s=interval_s, is_first=is_first
            )
        )

    def pause(self, id: str, is_paused: bool) -> None:
        self.log.observe(RequestPaused(id=RequestId(id), model="guide", is_paused=is_paused))

    def end(self, id: str, outcome: Outcome = "stop", **more: Any) -> None:
        fields = {"duration_s": 5.0, "prompt_tokens": 100, "cached_tokens": 60, "completion_tokens": 9} | more
        self.log.observe(RequestEnded(id=RequestId(id), model="guide", caller="ada", outcome=outcome, **fields))

    def answer(self, id: str, ttft_s: float = 1.0, **more: Any) -> None:
        """Let a request come and go."""
        self.queue(id)
        self.accept(id)
        self.emit(id, ttft_s, is_first=True)
        self.end(id, **more)

    @property
    def requests(self) -> tuple[RequestStatus, ...]:
        return self.log.requests().requests


def test_a_request_that_waits_shows_who_asked_and_for_how_long() -> None:
    bench = Bench()
    bench.queue("a")
    bench.now_s = 103
    assert bench.requests == (
        RequestStatus(
            id=RequestId("a"),
            model="guide",
            caller="ada",
            priority="batch",
            state="waiting",
            arrived_s=1.8e9 + 100,
            duration_s=3,
        ),
    )


def test_a_running_request_shows_its_speed_since_the_first_token() -> None:
    bench = Bench()
    bench.queue("a")
    bench.accept("a")
    bench.emit("a", 2.0, is_first=True)
    assert bench.requests[0].tokens_per_s is None
    bench.emit("a", 1.0, 4)
    bench.now_s = 104
    (request,) = bench.requests
    assert (request.state, request.queue_s, request.ttft_s) == ("running", 0.5, 2.0)
    assert (request.prompt_tokens, request.cached_tokens, request.completion_tokens) == (100, 60, 5)
    assert request.tokens_per_s == 2.0


def test_the_first_token_of_any_choice_is_the_first_of_the_request() -> None:
    bench = Bench()
    bench.queue("a")
    bench.accept("a")
    bench.emit("a", 2.0, is_first=True)
    bench.emit("a", 3.0, is_first=True)
    assert bench.requests[0].ttft_s == 2.0


def test_a_paused_request_says_so_until_it_goes_on() -> None:
    bench = Bench()
    bench.queue("a")
    bench.accept("a")
    bench.pause("a", True)
    assert bench.requests[0].state == "paused"
    bench.pause("a", False)
    assert bench.requests[0].state == "running"


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("stop", "done"), ("length", "done"), ("cancelled", "cancelled"), ("error", "failed")],
)
def test_an_ended_request_says_how_it_ended(outcome: Outcome, state: str) -> None:
    bench = Bench()
    bench.answer("a", outcome=outcome, error="no more memory", decode_tokens_per_s=33.0)
    (request,) = bench.requests
    assert (request.state, request.reason, request.error) == (state, outcome, "no more memory")
    assert (request.ttft_s, request.completion_tokens, request.tokens_per_s) == (1.0, 9, 33.0)


def test_a_request_that_never_had_a_place_has_no_tokens_to_show() -> None:
    bench = Bench()
    bench.queue("a")
    bench.end("a", "cancelled", prompt_tokens=0, cached_tokens=0, completion_tokens=0)
    (request,) = bench.requests
    assert (request.queue_s, request.prompt_tokens, request.cached_tokens) == (None, None, None)


def test_what_runs_comes_first_then_what_waits_then_what_ended_the_newest_first() -> None:
    bench = Bench()
    bench.answer("1")
    bench.answer("2")
    for id in ("waits", "runs", "waits too"):
        bench.queue(id)
    bench.accept("runs")
    assert [request.id for request in bench.requests] == ["runs", "waits", "waits too", "2", "1"]


def test_only_the_last_hundred_are_remembered() -> None:
    bench = Bench()
    for number in range(NUM_ENDED + 20):
        bench.answer(str(number))
    assert [request.id for request in bench.requests] == [str(number) for number in range(NUM_ENDED + 19, 19, -1)]


def test_recent_figures_are_medians_of_what_ended_well_within_the_window() -> None:
    bench = Bench()
    bench.answer("long ago", 50.0, decode_tokens_per_s=1.0)
    bench.now_s += RECENT_S + 1
    for ttft_s in (1.0, 2.0, 9.0):
        bench.answer(f"{ttft_s}", ttft_s, decode_tokens_per_s=10 * ttft_s)
    bench.answer("failed", 70.0, outcome="error")
    recent = bench.log.requests().recent
    assert (recent.num_requests, recent.median_ttft_s, recent.median_tokens_per_s) == (3, 2.0, 20.0)
    assert recent.cached_ratio == 0.6


def test_without_recent_requests_nothing_is_made_up() -> None:
    recent = Bench().log.requests().recent
    assert recent.num_requests == 0
    assert (recent.median_ttft_s, recent.median_tokens_per_s, recent.cached_ratio) == (None, None, None)


def test_a_request_is_found_by_its_own_id_and_by_that_of_its_answer() -> None:
    bench = Bench()
    for id in ("f00d", "beef-0", "beef-1"):
        bench.queue(id)
    assert bench.log.find("f00d") == bench.log.find("chatcmpl-f00d") == bench.log.find("cmpl-f00d") == ("f00d",)
    assert bench.log.find("cmpl-beef") == ("beef-0", "beef-1")
    assert bench.log.find("beef-1") == ("beef-1",)


def test_what_has_ended_is_not_found() -> None:
    bench = Bench()
    bench.answer("a")
    for id in ("a", "unknown", ""):
        with pytest.raises(RequestNotFound, match="runs or waits"):
            bench.log.find(id)


def test_the_worker_knows_best_how_long_an_ended_request_queued() -> None:
    bench = Bench()
    bench.answer("a", timings=Timings(queue_s=0.1, prefill_s=0.9, decode_s=4.0))
    bench.answer("b")
    assert [request.queue_s for request in bench.requests] == [0.5, 0.1]

"""Requests through the scheduler: let in, handed over, ended exactly once, or turned away with a reason."""

import msgspec
import pytest

from appliance.core.events import Failed, RequestAccepted, RequestEnded, RequestQueued, Timings, TokensEmitted
from appliance.core.messages import Start
from appliance.core.request import GenerateRequest, RequestId
from appliance.errors import (
    ApplianceError,
    BackendError,
    DoesNotFit,
    Draining,
    InvalidRequest,
    ModelLoading,
    ModelNotFound,
    QueueFull,
    RequestCancelled,
    to_info,
)
from tests.unit.scheduler.bench import Bench
from tests.unit.scheduler.builders import GIB, accepted, delta, finished, request


def test_twenty_requests_for_a_cold_model_load_it_once() -> None:
    bench = Bench()
    bench.ask(*(str(number) for number in range(20)))
    assert bench.effects.started == ["a"]
    bench.loaded(max_step_sequences=18)
    assert bench.effects.begun == [str(number) for number in range(20)]
    assert len(bench.effects.frames) == 1


def test_a_ready_model_is_given_no_more_than_its_places_and_two() -> None:
    bench = Bench()
    bench.ready("a")
    bench.ask(*(str(number) for number in range(8)))
    assert bench.effects.begun[1:] == ["0", "1", "2", "3", "4", "5"]
    bench.events(finished("3"))
    assert bench.effects.begun[-1] == "6"


def test_a_finished_choice_makes_room_before_its_request_has_ended() -> None:
    bench = Bench()
    bench.ready("a")
    bench.ask(request("six", num_choices=6), "next")
    assert "next" not in bench.effects.begun
    bench.events(finished("six", 2))
    assert "next" in bench.effects.begun
    assert "six" not in bench.effects.ended


def test_a_request_says_how_long_it_waited() -> None:
    bench = Bench()
    bench.ask("1")
    bench.now_s += 3
    bench.loaded()
    start = bench.effects.sent[0][1]
    assert isinstance(start, Start)
    assert start.waited_s == 3


def test_the_life_of_a_request_is_published_once_each() -> None:
    bench = Bench()
    bench.ask(request("1", num_choices=2))
    bench.loaded()
    bench.now_s = 1002
    bench.events(accepted("1", num_prompt_tokens=5, cached_tokens=3))
    bench.now_s = 1003
    bench.events(delta("1", 0), delta("1", 1))
    bench.now_s = 1004
    bench.events(delta("1", 0, num_tokens=2), finished("1", 0, completion_tokens=3, probability=0.5))
    bench.events(finished("1", 1, reason="length", completion_tokens=1, probability=0.9))
    effects = bench.effects
    assert [event.id for event in effects.of(RequestQueued)] == ["1"]
    assert [(e.queue_s, e.num_prompt_tokens, e.cached_tokens) for e in effects.of(RequestAccepted)] == [(2, 5, 3)]
    emitted = [(e.num_tokens, e.interval_s, e.is_first) for e in effects.of(TokensEmitted)]
    assert emitted == [(1, 3, True), (1, 3, True), (2, 1, False)]
    assert effects.of(RequestEnded) == [
        RequestEnded(
            id=RequestId("1"),
            model="a",
            caller="local",
            outcome="length",
            duration_s=4,
            prompt_tokens=5,
            cached_tokens=3,
            completion_tokens=4,
            timings=Timings(queue_s=0.0, prefill_s=0.1, decode_s=0.2),
            decode_tokens_per_s=10.0,
            mean_token_probability=0.6,
        )
    ]


def test_a_cancelled_request_frees_its_place_at_once() -> None:
    bench = Bench()
    bench.ready("a")
    bench.ask(*(str(number) for number in range(7)))
    bench.events(delta("0"))
    bench.cancel("0")
    assert bench.effects.cancelled == ["0"]
    assert bench.effects.begun[-1] == "6"
    bench.cancel("0")
    bench.events(delta("0"), finished("0"))
    assert bench.effects.ended["0"] == "cancelled"
    assert [event.completion_tokens for event in bench.effects.of(RequestEnded) if event.id == "0"] == [1]


def test_a_cancelled_request_that_waits_is_never_sent() -> None:
    bench = Bench()
    bench.ask("1", "2")
    bench.cancel("1")
    bench.loaded()
    assert bench.effects.begun == ["2"]
    assert bench.effects.cancelled == []


def test_a_request_that_an_operator_ends_tells_its_caller_so() -> None:
    bench = Bench()
    bench.ask("1")
    bench.loaded()
    bench.scheduler.on_cancel(RequestId("1"), bench.now_s, RequestCancelled("an operator ended it"))
    assert isinstance(bench.effects.errors[RequestId("1")], RequestCancelled)
    assert bench.effects.cancelled == ["1"]
    assert bench.effects.ended == {"1": "cancelled"}


def test_a_cancelled_request_never_loads_a_model() -> None:
    bench = Bench({"a": 6 * GIB, "b": 6 * GIB})
    bench.ask(request("1", "a"))
    bench.ask(request("2", "b"))
    bench.loaded("a", 6 * GIB)
    bench.cancel("2")
    bench.events(finished("1"))
    assert bench.effects.started == ["a"]
    assert bench.effects.stopped == []


def test_a_request_that_the_worker_fails_ends_with_its_error() -> None:
    bench = Bench()
    bench.ask("1")
    bench.loaded()
    bench.events(Failed(id=RequestId("1"), error=to_info(InvalidRequest("no", param="prompt"))))
    error = bench.effects.errors[RequestId("1")]
    assert isinstance(error, InvalidRequest)
    assert error.param == "prompt"
    assert bench.effects.ended == {"1": "error"}


def test_a_full_queue_refuses_with_a_time_to_come_back() -> None:
    bench = Bench(max_waiting=2)
    bench.ask("1", "2")
    error = bench.refused("3")
    assert isinstance(error, QueueFull)
    assert error.retry_after_s is not None
    assert error.retry_after_s >= 1


def test_a_request_with_a_place_does_not_need_the_queue() -> None:
    bench = Bench(max_waiting=1)
    bench.ready("a")
    bench.ask(*(str(number) for number in range(7)))
    assert (bench.position("6"), bench.position("5")) == (1, None)
    assert isinstance(bench.refused("7"), QueueFull)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (request("1", "unknown"), ModelNotFound),
        (request("1", "a", num_choices=13), InvalidRequest),
        (request("1", "huge"), DoesNotFit),
    ],
    ids=["an unknown model", "more choices than the model holds", "a model that does not fit"],
)
def test_what_needs_no_worker_is_refused_at_once(asked: GenerateRequest, error: type[ApplianceError]) -> None:
    bench = Bench({"a": GIB, "huge": 9 * GIB})
    assert type(bench.refused(asked)) is error
    assert bench.effects.started == []
    assert bench.effects.events == []


def test_a_model_that_turns_out_smaller_refuses_what_waits_and_is_too_large() -> None:
    bench = Bench()
    bench.ask(request("1", num_choices=10), "2")
    bench.loaded(max_sequences=8)
    assert isinstance(bench.effects.errors[RequestId("1")], InvalidRequest)
    assert bench.effects.begun == ["2"]


def test_a_deadline_ends_the_wait_for_a_load() -> None:
    bench = Bench()
    bench.ask(request("1", deadline_s=5), "2")
    bench.tick_when_due()
    assert bench.now_s == 1005
    assert isinstance(bench.effects.errors[RequestId("1")], ModelLoading)
    bench.loaded()
    assert bench.effects.begun == ["2"]


def test_a_deadline_ends_what_runs_and_says_how_much_was_written() -> None:
    bench = Bench()
    bench.ready("a")
    bench.ask(request("1", num_choices=2, deadline_s=5), *(str(number) for number in range(2, 7)))
    bench.events(delta("1", 0, num_tokens=3), delta("1", 1))
    bench.tick_when_due()
    assert bench.now_s == 1005
    error = bench.effects.errors[RequestId("1")]
    assert (error.status, error.code, error.param) == (504, "deadline_exceeded", "deadline_s")
    assert "deadline of 5.0 s; 4 tokens were written" in error.message
    assert bench.effects.cancelled == ["1"]
    assert bench.effects.ended["1"] == "error"
    assert bench.effects.begun[-1] == "6"
    assert bench.due_s != bench.now_s


def test_a_deadline_that_is_kept_changes_nothing() -> None:
    bench = Bench()
    bench.ready("a")
    bench.ask(request("1", deadline_s=5))
    bench.tick_at(1004.9)
    bench.events(finished("1"))
    assert bench.effects.ended["1"] == "stop"
    assert bench.effects.cancelled == []


def test_draining_refuses_what_comes_fails_what_waits_and_lets_what_runs_end() -> None:
    bench = Bench()
    bench.ready("a")
    bench.ask(*(str(number) for number in range(7)))
    bench.scheduler.on_drain(bench.now_s)
    assert isinstance(bench.refused("8"), Draining)
    assert isinstance(bench.effects.errors[RequestId("6")], Draining)
    bench.events(finished("0"))
    assert bench.effects.ended["0"] == "stop"
    bench.scheduler.on_close(bench.now_s)
    assert bench.effects.ended["1"] == "error"
    assert bench.effects.stopped == ["a"]


def test_an_error_of_one_worker_says_what_to_do() -> None:
    bench = Bench()
    bench.ask("1")
    bench.loaded()
    bench.exit(cause="was killed (SIGKILL; out of memory?)")
    error = bench.effects.errors[RequestId("1")]
    assert isinstance(error, BackendError)
    assert error.message == (
        "model 'a' stopped in the middle of the answer: its worker was killed (SIGKILL; out of memory?); "
        "send the request again"
    )


def test_requests_with_adapters_share_the_worker_of_their_model_and_are_told_by_their_own_name() -> None:
    bench = Bench()
    bench.ready("a")
    adapted = msgspec.structs.replace(request("with", model="a+tone"), served_by="a")
    bench.ask(adapted, "plain")
    assert bench.effects.started == ["a"]
    assert bench.effects.begun[-2:] == ["with", "plain"]
    bench.events(finished("with"))
    bench.cancel("plain")
    ended = [event for event in bench.effects.events if isinstance(event, RequestEnded)]
    assert [(event.id, event.model) for event in ended][-2:] == [("with", "a+tone"), ("plain", "a")]

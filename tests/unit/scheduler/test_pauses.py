"""Priorities and fairness through the whole scheduler. A worker of four places and two spare."""

import pytest

from appliance.core.events import RequestPaused
from appliance.core.messages import Pause, Start
from appliance.core.request import EncodeRequest, RequestId, TextPrompt
from appliance.errors import BackendError, Conflict, DeadlineExceeded
from appliance.scheduler.fairness import MIN_WEIGHT
from appliance.scheduler.placement import Placement
from appliance.scheduler.records import RequestRecord
from tests.unit.scheduler.bench import Bench
from tests.unit.scheduler.builders import accepted, caller, delta, finished, request

ANNA, BERT = caller("anna"), caller("bert")


def crowded(num_requests: int = 50) -> Bench:
    """Return a bench on which one caller's requests hold every place; the first six run."""
    bench = Bench()
    bench.ready("a")
    bench.ask(*(request(str(number), max_tokens=100) for number in range(num_requests)), caller=ANNA)
    return bench


def with_batch_work(num_requests: int = 6) -> Bench:
    bench = Bench()
    bench.ready("a")
    bench.ask(*(request(str(number), priority="batch") for number in range(num_requests)), caller=ANNA)
    return bench


def test_a_caller_with_one_request_is_served_beside_one_with_fifty() -> None:
    bench = crowded()
    bench.ask(request("one"), caller=BERT)
    assert bench.effects.begun[-1] == "one"
    assert bench.effects.paused == ["5"]
    assert [type(message) for message in bench.effects.frames[-1]] == [Pause, Start]
    bench.events(finished("one"))
    assert bench.effects.resumed == ["5"]
    assert bench.effects.begun[-1] == "one"


def test_a_caller_that_holds_a_place_waits_for_its_turn_which_is_the_next() -> None:
    bench = crowded()
    bench.ask(request("one"), request("two"), caller=BERT)
    assert bench.position("two") == 1
    bench.events(finished("0"))
    assert bench.effects.begun[-1] == "two"


def test_interactive_work_takes_the_place_of_batch_work_at_once_and_gives_it_back() -> None:
    bench = with_batch_work()
    bench.ask(request("now", priority="interactive"), caller=ANNA)
    assert (bench.effects.paused, bench.effects.begun[-1]) == (["5"], "now")
    bench.events(finished("now"))
    assert bench.effects.resumed == ["5"]
    pauses = [(event.id, event.is_paused) for event in bench.effects.of(RequestPaused)]
    assert pauses == [("5", True), ("5", False)]


def test_a_start_says_whose_it_is_and_where_it_stands_in_its_class() -> None:
    bench = Bench()
    bench.ready("a")
    heavy = caller("heavy", weight=2.0)
    bench.ask(request("1", max_tokens=100), request("2", max_tokens=100), caller=heavy)
    starts = [message for _, message in bench.effects.sent if isinstance(message, Start)]
    assert [(start.caller, start.weight) for start in starts[1:]] == [("heavy", 2.0)] * 2
    assert starts[2].rank - starts[1].rank == pytest.approx((100 + 1 + 5 / 4) / 2)


def ranks(bench: Bench) -> dict[str, float]:
    return {message.request.id: message.rank for _, message in bench.effects.sent if isinstance(message, Start)}


def test_what_a_request_has_written_beyond_its_estimate_counts_while_it_runs() -> None:
    bench = Bench()
    bench.ready("a")
    bench.ask(request("1", max_tokens=10))
    bench.events(accepted("1", num_prompt_tokens=50, cached_tokens=20), delta("1", num_tokens=500))
    bench.ask("2")
    assert ranks(bench)["2"] - ranks(bench)["1"] == 30 + 500


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_a_weight_that_makes_no_sense_is_the_least_there_is(weight: float) -> None:
    bench = Bench()
    bench.ask(request("1"), caller=caller("odd", weight=weight))
    bench.loaded()
    start = bench.effects.sent[-1][1]
    assert isinstance(start, Start)
    assert start.weight == MIN_WEIGHT


def test_estimates_are_corrected_by_what_was_really_computed() -> None:
    bench = Bench()
    bench.ready("a")
    bench.ask(request("1", max_tokens=10_000), "stays")
    bench.events(accepted("1", num_prompt_tokens=5, cached_tokens=2), finished("1", completion_tokens=7))
    bench.ask("2")
    assert ranks(bench)["2"] - ranks(bench)["1"] == pytest.approx(5 - 2 + 7 + 256 + 1 + 5 / 4)


def test_what_was_resumed_is_not_paused_again_before_it_had_its_rest() -> None:
    bench = crowded(6)
    for number in range(6):
        bench.ask(request(f"quick{number}"), caller=BERT)
        bench.events(finished(f"quick{number}"))
    assert bench.effects.paused == ["5", "4", "3", "2", "1", "0"]
    bench.ask(request("late"), caller=BERT)
    assert bench.position("late") == 1
    bench.tick_when_due()
    assert bench.now_s == 1002
    assert bench.effects.begun[-1] == "late"


def test_batch_work_that_waited_for_long_keeps_its_place_for_a_moment() -> None:
    bench = with_batch_work(7)
    bench.now_s += 300
    bench.events(finished("0"))
    assert bench.effects.begun[-1] == "6"
    for number in range(6):
        bench.ask(request(f"now{number}", priority="interactive"))
    assert sorted(bench.effects.paused) == ["1", "2", "3", "4", "5"]
    bench.tick_when_due()
    assert bench.now_s == 1302
    assert bench.effects.paused[-1] == "6"


def test_time_aside_is_no_part_of_what_a_request_takes() -> None:
    record = RequestRecord(request=request("1"), caller=ANNA, arrived_s=0.0)
    placement = Placement(record=record, cost_tokens=1.0, since_s=0.0)
    placement.run(10.0)
    placement.pause(14.0)
    placement.run(100.0)
    assert placement.total_served_s(106.0) == 10.0


def test_a_full_queue_does_not_keep_out_who_has_a_right_to_a_place() -> None:
    bench = Bench(max_waiting=1)
    bench.ready("a")
    bench.ask(*(str(number) for number in range(7)), caller=ANNA)
    bench.ask(request("one"), caller=BERT)
    assert bench.effects.begun[-1] == "one"


def test_rows_hold_a_place_and_are_never_paused() -> None:
    bench = Bench()
    bench.ready("a")
    rows = [
        EncodeRequest(
            id=RequestId(str(number)), model="a", task="embed", inputs=(TextPrompt(text="x"),), priority="batch"
        )
        for number in range(6)
    ]
    bench.ask(*rows, caller=ANNA)
    bench.ask(request("now", priority="interactive"), caller=BERT)
    assert (bench.effects.paused, bench.position("now")) == ([], 1)


def paused_one(keep_alive_s: float = 1800.0) -> Bench:
    """Return a bench on which batch request `victim` is paused, having written a token."""
    bench = Bench(keep_alive_s=keep_alive_s)
    bench.ready("a")
    bench.ask(*(request(str(number)) for number in range(5)), caller=ANNA)
    bench.ask(request("victim", priority="batch", deadline_s=60), caller=ANNA)
    bench.events(delta("victim"))
    bench.ask(request("now", priority="interactive"), caller=ANNA)
    assert bench.effects.paused == ["victim"]
    return bench


def test_a_paused_request_waits_and_has_a_place_in_the_queue() -> None:
    bench = paused_one()
    (row, *_) = bench.scheduler.status(bench.now_s)
    assert (row.num_running, row.num_waiting) == (6, 1)
    assert bench.position("victim") == 1


def test_a_paused_request_can_be_cancelled_and_the_worker_forgets_it() -> None:
    bench = paused_one()
    bench.cancel("victim")
    assert bench.effects.cancelled == ["victim"]
    bench.events(finished("now"))
    assert bench.effects.resumed == []
    assert bench.effects.ended["victim"] == "cancelled"


def test_a_paused_request_past_its_deadline_ends_with_what_it_wrote() -> None:
    bench = paused_one()
    bench.tick_when_due()
    assert bench.now_s == 1060
    error = bench.effects.errors[RequestId("victim")]
    assert isinstance(error, DeadlineExceeded)
    assert "1 tokens were written" in error.message
    assert bench.effects.cancelled == ["victim"]


def test_what_the_worker_had_finished_before_it_read_of_the_pause_is_finished() -> None:
    bench = paused_one()
    bench.events(delta("victim"), finished("victim"))
    assert bench.effects.ended["victim"] == "stop"
    bench.events(finished("now"))
    assert bench.effects.resumed == []


def test_the_death_of_a_worker_fails_what_is_paused_on_it() -> None:
    bench = paused_one()
    bench.exit(cause="was killed")
    assert isinstance(bench.effects.errors[RequestId("victim")], BackendError)


def test_a_model_with_a_paused_request_is_in_use() -> None:
    bench = paused_one(keep_alive_s=5)
    with pytest.raises(Conflict):
        bench.scheduler.on_unload("a", bench.now_s)
    bench.tick_at(1010)
    assert bench.effects.stopped == []


def test_a_drain_lets_what_is_paused_go_on_and_end() -> None:
    bench = paused_one()
    bench.scheduler.on_drain(bench.now_s)
    assert bench.scheduler.num_begun == 7
    bench.events(finished("now"))
    assert bench.effects.resumed == ["victim"]
    bench.events(*(finished(str(number)) for number in range(5)), finished("victim"))
    assert bench.effects.ended["victim"] == "stop"
    assert bench.scheduler.num_begun == 0


def test_closing_ends_what_is_paused() -> None:
    bench = paused_one()
    bench.scheduler.on_close(bench.now_s)
    assert bench.effects.ended["victim"] == "error"
    assert bench.effects.stopped == ["a"]

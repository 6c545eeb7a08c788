"""How long an idle model stays when callers say so."""

import math

import msgspec
import pytest

from appliance.core.request import GenerateRequest
from tests.unit.scheduler.bench import Bench
from tests.unit.scheduler.builders import GIB, finished, request


def kept(id_: str, keep_alive_s: float | None, model: str = "a") -> GenerateRequest:
    return msgspec.structs.replace(request(id_, model), keep_alive_s=keep_alive_s)


def bench_after(*requests: GenerateRequest) -> Bench:
    """The model is loaded and each request was answered, one after another."""
    bench = Bench(keep_alive_s=100)
    bench.ready("a")
    for each in requests:
        bench.ask(each)
        bench.events(finished(each.id))
    return bench


@pytest.mark.parametrize(
    ("asked", "leaves_after_s"), [([], 100), ([5.0], 5), ([5.0, None], 5), ([5.0, 300.0], 300), ([0.0], 0)]
)
def test_a_model_leaves_when_the_last_word_of_a_caller_says(asked: list[float | None], leaves_after_s: float) -> None:
    bench = bench_after(*(kept(str(number), value) for number, value in enumerate(asked)))
    assert bench.due_s == bench.now_s + leaves_after_s
    row = bench.scheduler.status(bench.now_s)[0]
    assert row.expires_in_s == leaves_after_s
    bench.tick_when_due()
    assert bench.effects.stopped == ["a"]


def test_a_model_that_is_kept_for_ever_still_makes_room_for_another() -> None:
    bench = Bench({"a": 6 * GIB, "b": 6 * GIB}, keep_alive_s=100)
    bench.ready("a")
    bench.ask(kept("1", math.inf))
    bench.events(finished("1"))
    assert bench.due_s is None
    assert bench.scheduler.status(bench.now_s)[0].expires_in_s is None
    bench.ask(request("2", "b"))
    assert bench.effects.stopped == ["a"]


def test_a_model_in_use_leaves_when_its_request_has_ended() -> None:
    bench = bench_after()
    bench.ask("1")
    bench.scheduler.on_keep("a", 0, bench.now_s)
    assert bench.effects.stopped == []
    bench.events(finished("1"))
    bench.tick_when_due()
    assert bench.effects.stopped == ["a"]


def test_an_idle_model_that_is_kept_for_no_time_leaves_at_once() -> None:
    bench = bench_after()
    bench.scheduler.on_keep("a", 0, bench.now_s)
    assert bench.effects.stopped == ["a"]


def test_what_was_said_is_forgotten_with_the_next_load() -> None:
    bench = bench_after(kept("1", 5.0))
    bench.tick_when_due()
    bench.exit("a")
    bench.ready("a")
    assert bench.due_s == bench.now_s + 100


def test_a_pinned_model_stays_whatever_callers_say() -> None:
    bench = bench_after()
    bench.scheduler.on_pin("a", True, bench.now_s)
    bench.scheduler.on_keep("a", 0, bench.now_s)
    assert bench.effects.stopped == []

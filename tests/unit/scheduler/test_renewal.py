"""A name that means other files: what runs ends on the old ones, and everything else waits for the new."""

from appliance.core.request import RequestId
from tests.unit.scheduler.bench import Bench
from tests.unit.scheduler.builders import GIB, finished


def renew(bench: Bench, model: str = "a") -> None:
    bench.scheduler.on_renew(model, bench.now_s)


def test_an_idle_worker_leaves_at_once_and_the_next_request_gets_a_fresh_plan() -> None:
    bench = Bench()
    bench.ready("a")
    bench.effects.sizes["a"] = 2 * GIB
    renew(bench)
    assert bench.effects.stopped == ["a"]
    bench.exit()
    bench.ask("1")
    assert [plan.estimated_bytes for plan in bench.effects.plans] == [GIB, 2 * GIB]


def test_what_runs_ends_on_the_old_files_and_what_comes_waits_for_the_new() -> None:
    bench = Bench()
    bench.ask("1")
    bench.loaded()
    renew(bench)
    bench.ask("2")
    assert bench.effects.begun == ["1"]
    assert bench.effects.stopped == []
    bench.effects.sizes["a"] = 2 * GIB
    bench.events(finished("1"))
    assert bench.effects.stopped == ["a"]
    bench.exit()
    assert [plan.estimated_bytes for plan in bench.effects.plans] == [GIB, 2 * GIB]
    bench.loaded()
    assert "2" in bench.effects.begun


def test_a_pinned_model_comes_back_with_its_new_files() -> None:
    bench = Bench()
    bench.scheduler.on_pin("a", True, bench.now_s)
    bench.loaded()
    renew(bench)
    bench.exit()
    assert bench.effects.started == ["a", "a"]


def test_a_load_that_has_become_pointless_is_given_up_for_the_right_one() -> None:
    bench = Bench()
    bench.ask("1")
    renew(bench)
    assert bench.effects.stopped == ["a"]
    bench.exit()
    bench.loaded()
    assert bench.effects.started == ["a", "a"]
    assert bench.effects.begun == ["1"]


def test_a_model_that_is_gone_meanwhile_is_told_to_those_who_wait() -> None:
    bench = Bench()
    bench.ask("1")
    renew(bench)
    del bench.effects.sizes["a"]
    bench.exit()
    assert "not installed" in bench.effects.errors[RequestId("1")].message


def test_the_context_that_the_old_files_had_to_do_with_is_not_the_new_ones() -> None:
    bench = Bench()
    bench.ready("a")
    bench.scheduler.on_memory_pressure("a", None, bench.now_s)
    bench.exit()
    renew(bench)
    bench.ask("1")
    assert bench.effects.plans[-1].context_tokens == bench.effects.plans[0].context_tokens


def test_a_model_that_nobody_asked_for_needs_nothing() -> None:
    bench = Bench()
    renew(bench)
    assert bench.effects.stopped == []

"""A device without memory: what is idle goes, and the model comes back with a smaller context, which callers see."""

from appliance.core.events import MemoryRanShort
from appliance.core.plan import LoadPlan
from appliance.core.request import RequestId
from appliance.errors import OutOfDeviceMemory
from appliance.scheduler.shrinking import MIN_CONTEXT_TOKENS, can_shrink, shrunk
from tests.unit.scheduler.bench import Bench
from tests.unit.scheduler.builders import GIB, plan, request


def contexts(plans: list[LoadPlan]) -> list[int]:
    return [each.context_tokens for each in plans]


def test_a_load_that_runs_out_of_memory_is_tried_with_half_the_context_and_nobody_is_turned_away() -> None:
    bench = Bench()
    bench.ask("1")
    bench.scheduler.on_load_failed("a", OutOfDeviceMemory("no memory for the KV cache"), bench.now_s)
    bench.exit()
    assert contexts(bench.effects.plans) == [1024, 512]
    bench.loaded()
    assert bench.effects.begun == ["1"] and not bench.effects.errors
    assert "512 tokens" in bench.effects.of(MemoryRanShort)[0].measure


def test_when_no_smaller_context_is_left_whoever_waits_is_told_why() -> None:
    bench = Bench()
    bench.ask("1")
    for _ in range(2):
        bench.scheduler.on_load_failed("a", OutOfDeviceMemory("no memory for the KV cache"), bench.now_s)
        bench.exit()
    assert isinstance(bench.effects.errors[RequestId("1")], OutOfDeviceMemory)


def test_a_worker_short_of_memory_lets_idle_models_go_but_not_those_in_use_or_pinned() -> None:
    bench = Bench(dict.fromkeys("abcd", GIB))
    for model in "abcd":
        bench.ready(model)
    bench.scheduler.on_pin("c", True, bench.now_s)
    bench.ask(request("busy", "d"), request("short", "a"))
    bench.scheduler.on_memory_pressure("a", "steps compute at most 256 tokens from now on", bench.now_s)
    assert bench.effects.stopped == ["b"]
    (event,) = bench.effects.of(MemoryRanShort)
    assert event.measure == "steps compute at most 256 tokens from now on"


def test_a_worker_that_ends_for_lack_of_memory_comes_back_with_a_smaller_context() -> None:
    bench = Bench()
    bench.ready("a")
    bench.scheduler.on_memory_pressure("a", None, bench.now_s)
    bench.exit()
    bench.tick_at(bench.now_s + 60.0)
    bench.ask("2")
    assert contexts(bench.effects.plans) == [1024, 512]


def test_a_plan_is_halved_down_to_a_context_that_is_still_of_use() -> None:
    assert contexts([shrunk(plan("a"), n) for n in range(4)]) == [1024, 512, MIN_CONTEXT_TOKENS, MIN_CONTEXT_TOKENS]
    assert shrunk(plan("a"), 2).kv_capacity_tokens == 1024
    assert can_shrink(plan("a")) and not can_shrink(shrunk(plan("a"), 1))

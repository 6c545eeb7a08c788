"""Who gives way in the engine, to whom, and how it goes on: full caches, pauses, classes, callers, lack of memory."""

from functools import partial

from appliance.core.events import Delta
from appliance.core.messages import MemoryPressure
from appliance.core.request import PRIORITY_RANK, RequestId
from tests.unit.engine.engine_bench import Bench, text_prompt

NORMAL = PRIORITY_RANK["normal"]


def test_a_full_cache_preempts_the_youngest_and_nobody_fails() -> None:
    requests = [text_prompt(f"r{i}", f"{i}abcdefgh" * 4, 60) for i in range(4)]
    bench = Bench(context_tokens=128, kv_capacity_tokens=192).start(*requests).run()
    assert bench.engine.num_preemptions > 0
    for i in range(4):
        assert bench.text(f"r{i}") == (f"{i}abcdefgh" * 20)[36:96]


def test_a_retained_prefix_goes_before_anyone_is_preempted() -> None:
    bench = Bench(context_tokens=128, kv_capacity_tokens=160).start(text_prompt("a", "k" * 100, 20)).run()
    bench.start(text_prompt("b", "m" * 100, 20)).run()
    assert bench.engine.num_preemptions == 0
    assert bench.finished("b").reason == "length"


def test_a_paused_request_frees_its_place_and_goes_on_without_computing_anything_again() -> None:
    bench = Bench(max_step_sequences=1, kv_capacity_tokens=512, context_tokens=512, speculates=False)
    bench.start(text_prompt("a", "a" * 300 + "bc", 20))
    bench.step(12)
    written = len(bench.text("a"))
    bench.engine.pause(RequestId("a"))
    bench.start(text_prompt("b", "other words", 5)).run()
    assert bench.text("b") == "other"
    bench.engine.resume(RequestId("a"))
    before = bench.engine.num_steps
    bench.run()
    assert bench.engine.num_steps - before == 20 - written
    assert bench.text("a") == ("a" * 300 + "bc")[:20]
    assert bench.finished("a").usage.cached_tokens == 0


def test_a_paused_request_can_be_cancelled() -> None:
    bench = Bench().start(text_prompt("a", "a" * 100, 20, cache_prompt=False))
    bench.step(4)
    bench.engine.pause(RequestId("a"))
    bench.engine.cancel(RequestId("a"))
    bench.engine.resume(RequestId("a"))
    assert not bench.engine.has_work
    assert bench.engine.stats(0.0, 0).snapshot_memory_bytes == 0


def test_interactive_work_takes_the_place_of_batch_work_at_the_next_token() -> None:
    bench = Bench(max_step_sequences=1).start(text_prompt("slow", "abc", 200, priority="batch"))
    bench.step(5)
    bench.start(text_prompt("quick", "xyz", 4, priority="interactive"))
    bench.step(6)
    assert bench.finished("quick").reason == "length"
    bench.run()
    assert bench.finished("slow").usage.completion_tokens == 200


def test_what_steps_back_may_be_what_the_newcomer_would_have_copied_from() -> None:
    bench = Bench(kv_capacity_tokens=512, context_tokens=512, speculates=False)
    bench.start(text_prompt("slow", "s" * 300 + "b", 150, priority="batch"))
    bench.step(40)
    bench.start(text_prompt("quick", "s" * 300 + "i" * 205, 4, priority="interactive")).run()
    assert bench.finished("quick").usage.cached_tokens == 300
    assert bench.finished("slow").usage.completion_tokens == 150


def test_nobody_steps_back_for_a_newcomer_who_waits_for_anothers_prefill() -> None:
    bench = Bench(max_step_sequences=2, speculates=False)
    bench.start(text_prompt("first", "s" * 300 + "1", 4, priority="interactive"))
    bench.start(text_prompt("slow", "abc", 60, priority="batch"))
    bench.step(1)
    bench.start(text_prompt("second", "s" * 300 + "2", 4, priority="interactive")).run()
    assert bench.engine.num_preemptions == 1


def test_a_caller_with_one_request_runs_beside_one_with_many() -> None:
    bench = Bench(max_step_sequences=4)
    bench.start(*(text_prompt(f"r{i}", f"{i}abc", 100) for i in range(12)), caller="many")
    bench.step(10)
    bench.start(text_prompt("one", "xyz", 4), caller="single", rank=3.5)  # those of "many" that wait come later
    bench.step(6)
    assert bench.finished("one").reason == "length"
    assert all(bench.run().finished(f"r{i}").usage.completion_tokens == 100 for i in range(12))


def test_a_device_without_memory_is_relieved_step_by_step_and_nobody_fails() -> None:
    bench = Bench()
    bench.start(text_prompt("before", "b" * 100, 4)).run()
    bench.model.out_of_memory_times = 2
    bench.start(text_prompt("a", "abc", 6)).run()
    assert bench.text("a") == "abcabc"
    measures = [event.measure for event in bench.of(MemoryPressure)]
    assert len(measures) == 2
    assert "gave back" in measures[0] and "at most" in measures[1]


def test_a_callers_only_prompt_is_read_in_steps_of_its_own_between_the_steps_of_other_callers_streams() -> None:
    bench = Bench(max_step_sequences=8, speculates=False)
    bench.start(*(text_prompt(f"r{i}", f"{i} some words", 60) for i in range(6)), caller="many")
    bench.step(20)
    bench.start(text_prompt("a", "a" * 30, 5), caller="one")
    bench.start(text_prompt("b", "b" * 30, 5), caller="another")
    written = []
    for _ in range(3):
        before = len(bench.of(Delta))
        bench.step()
        written.append([event.id for event in bench.of(Delta)[before:]])
    streams = {f"r{i}" for i in range(6)}
    assert written[0] == ["a"]
    assert set(written[1]) >= {*streams, "a"}
    assert "b" in written[1] or written[2] == ["b"]


def test_a_step_for_lower_classes_alone_ends_for_a_newcomer_and_nothing_of_it_is_lost() -> None:
    bench = Bench(speculates=False).start(*(text_prompt(f"r{i}", f"{i}abc", 40, priority="batch") for i in range(3)))
    bench.step(5)
    bench.model.meanwhile = partial(bench.engine.interruption.on_arrival, NORMAL)
    before = len(bench.of(Delta))
    bench.step()
    assert (bench.model.num_aborted, len(bench.of(Delta))) == (1, before)
    bench.start(text_prompt("quick", "xyz", 4))
    bench.step()
    assert [event.id for event in bench.of(Delta)[before:]] == ["quick"]
    bench.model.meanwhile = lambda: None
    bench.run()
    assert all(bench.text(f"r{i}") == f"{i}abc" * 10 for i in range(3))


def test_who_comes_while_a_step_is_planned_is_not_kept_waiting_for_its_end() -> None:
    bench = Bench(speculates=False).start(text_prompt("slow", "abc", 40, priority="batch"))
    bench.step(5)
    bench.engine.interruption.on_arrival(NORMAL)
    before = bench.engine.num_steps
    bench.step()
    assert bench.engine.num_steps == before
    bench.step()
    assert bench.engine.num_steps == before + 1


def test_requests_that_keep_coming_leave_lower_classes_every_other_step() -> None:
    bench = Bench(speculates=False).start(text_prompt("slow", "abc", 40, priority="batch"))
    bench.model.meanwhile = partial(bench.engine.interruption.on_arrival, NORMAL)
    bench.step(200)
    assert bench.finished("slow").usage.completion_tokens == 40
    assert bench.model.num_aborted >= 10


def test_no_step_ends_that_serves_the_class_of_the_newcomer_too() -> None:
    bench = Bench(speculates=False).start(text_prompt("a", "abc", 40), text_prompt("slow", "x", 90, priority="batch"))
    bench.model.meanwhile = partial(bench.engine.interruption.on_arrival, NORMAL)
    bench.step(30)
    assert len(bench.of(Delta)) > 50
    assert bench.model.num_aborted == 0


def test_lower_classes_wait_until_a_long_prompt_is_read() -> None:
    bench = Bench(speculates=False, max_step_tokens=64)
    bench.start(*(text_prompt(f"r{i}", f"{i}abc", 60, priority="batch") for i in range(3)), caller="jobs")
    bench.step(10)
    before = len(bench.of(Delta))
    bench.start(text_prompt("long", "l" * 300, 4), caller="somebody")
    bench.step(5)
    assert [event.id for event in bench.of(Delta)[before:]] == ["long"]

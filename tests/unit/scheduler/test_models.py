"""Models through the scheduler: loaded on demand, kept, evicted, unloaded, restarted; memory decides."""

import pytest
from msgspec.structs import replace

from appliance.core.devices import LoadedDevice
from appliance.core.events import ModelPlaced, ModelStateChanged
from appliance.core.messages import Stats
from appliance.core.request import RequestId
from appliance.errors import ApplianceError, BackendError, Conflict, DoesNotFit, ModelLoading, ModelNotFound
from tests.unit.scheduler.bench import Bench
from tests.unit.scheduler.builders import GIB, finished, request, traits

LARGE = {"a": 6 * GIB, "b": 6 * GIB, "c": GIB}


def error_of(bench: Bench, id_: str) -> ApplianceError:
    return bench.effects.errors[RequestId(id_)]


def test_an_idle_model_is_evicted_and_its_memory_awaited_before_the_next_loads() -> None:
    bench = Bench(LARGE)
    bench.ready("a")
    bench.ask(request("1", "b"))
    assert bench.effects.stopped == ["a"]
    assert bench.effects.started == ["a"]
    bench.exit("a")
    assert bench.effects.started == ["a", "b"]
    assert bench.effects.states("a") == ["loading", "ready", "stopping", "stopped"]


def test_a_model_in_use_is_never_evicted() -> None:
    bench = Bench(LARGE)
    bench.ask("1")
    bench.loaded("a", 6 * GIB)
    bench.ask(request("2", "b"))
    assert bench.effects.stopped == []
    bench.events(finished("1"))
    assert bench.effects.stopped == ["a"]


def test_a_model_comes_back_for_a_request_that_arrives_while_it_leaves() -> None:
    bench = Bench()
    bench.ready("a")
    bench.scheduler.on_unload("a", bench.now_s)
    bench.ask("1")
    assert bench.effects.started == ["a"]
    bench.exit()
    assert bench.effects.started == ["a", "a"]
    bench.loaded()
    assert "1" in bench.effects.begun


def test_the_measured_size_takes_the_place_of_the_estimate() -> None:
    bench = Bench(LARGE)
    bench.ask(request("1", "a"), request("2", "b"))
    assert bench.effects.started == ["a"]
    bench.loaded("a", GIB)
    assert bench.effects.started == ["a", "b"]


def test_the_measured_size_is_remembered_for_the_next_load() -> None:
    bench = Bench({"a": GIB})
    bench.ready("a")
    stats = Stats(
        num_running=0,
        num_waiting=0,
        kv_used_tokens=0,
        kv_retained_tokens=0,
        num_preemptions=0,
        num_steps=1,
        tokens_per_s=0.0,
        memory_bytes=9 * GIB,
    )
    bench.scheduler.on_stats("a", stats)
    bench.scheduler.on_unload("a", bench.now_s)
    bench.exit()
    assert isinstance(bench.refused("1"), DoesNotFit)


def test_a_model_nobody_used_leaves_after_the_keep_alive_time() -> None:
    bench = Bench(keep_alive_s=60)
    bench.ready("a")
    assert bench.due_s == 1060
    bench.tick_at(1059)
    assert bench.state() == "ready"
    bench.tick_when_due()
    assert bench.effects.stopped == ["a"]
    bench.exit()
    assert bench.state() == "stopped"
    assert bench.due_s is None


def test_a_running_request_keeps_its_model() -> None:
    bench = Bench(keep_alive_s=60)
    bench.ready("a")
    bench.ask("1")
    assert bench.due_s is None
    bench.tick_at(5000)
    bench.events(finished("1"))
    assert bench.due_s == 5060


def test_an_endless_keep_alive_needs_no_timer() -> None:
    bench = Bench(keep_alive_s=float("inf"))
    bench.ready("a")
    assert bench.due_s is None
    assert bench.scheduler.status(bench.now_s)[0].expires_in_s is None


def test_a_pinned_model_loads_at_once_and_is_neither_evicted_nor_expired() -> None:
    bench = Bench(LARGE, keep_alive_s=60)
    bench.scheduler.on_pin("a", True, bench.now_s)
    assert bench.effects.started == ["a"]
    bench.loaded("a", 6 * GIB)
    assert bench.due_s is None
    assert isinstance(bench.refused(request("1", "b")), DoesNotFit)
    bench.scheduler.on_pin("a", False, bench.now_s)
    bench.ask(request("1", "b"))
    assert bench.effects.stopped == ["a"]


def test_only_a_model_that_exists_can_be_pinned() -> None:
    bench = Bench()
    with pytest.raises(ModelNotFound):
        bench.scheduler.on_pin("unknown", True, bench.now_s)
    bench.scheduler.on_pin("unknown", False, bench.now_s)
    assert bench.scheduler.status(bench.now_s) == ()


def test_a_failed_load_fails_those_who_wait_with_its_cause() -> None:
    bench = Bench()
    bench.ask("1", "2")
    bench.load_failed(message="not a model file")
    assert {error_of(bench, id_).message for id_ in "12"} == {"not a model file"}
    assert bench.effects.states("a") == ["loading", "stopping", "failed"]
    last = bench.scheduler.last_error("a")
    assert last is not None
    assert last.message == "not a model file"


def test_a_worker_that_dies_while_loading_is_a_failed_load() -> None:
    bench = Bench()
    bench.ask("1")
    bench.exit(cause="was ended by SIGSEGV")
    assert error_of(bench, "1").message == "model 'a' could not be loaded: its worker was ended by SIGSEGV"
    assert bench.effects.started == ["a"]


def test_a_model_that_fails_again_and_again_is_tried_ever_more_slowly() -> None:
    bench = Bench()
    for number, wait_s in enumerate([0, 0, 1, 2]):
        bench.now_s += wait_s
        bench.ask(str(number))
        bench.load_failed()
    error = bench.refused("early")
    assert isinstance(error, ModelLoading)
    assert error.retry_after_s == 4
    assert "not a model file" in error.message
    assert len(bench.effects.started) == 4
    assert bench.due_s is None


def test_a_dead_worker_fails_what_ran_and_a_fresh_one_takes_what_waits() -> None:
    bench = Bench()
    bench.ready("a")
    bench.ask(*(str(number) for number in range(7)))
    bench.exit(cause="was killed (SIGKILL; out of memory?)")
    assert sorted(bench.effects.errors) == ["0", "1", "2", "3", "4", "5"]
    assert bench.effects.started == ["a", "a"]
    bench.loaded()
    assert bench.effects.begun[-1] == "6"


def test_a_worker_that_keeps_dying_makes_what_waits_wait_longer() -> None:
    bench = Bench()
    bench.ready("a")
    bench.exit()
    bench.ask(*(str(number) for number in range(7)))
    bench.loaded()
    bench.exit()
    assert len(bench.effects.started) == 2
    assert isinstance(bench.refused("late"), ModelLoading)
    bench.tick_when_due()
    assert bench.now_s == 1001
    assert len(bench.effects.started) == 3
    bench.loaded()
    assert bench.effects.begun[-1] == "6"


def test_an_idle_worker_that_dies_is_not_replaced_until_somebody_asks() -> None:
    bench = Bench()
    bench.ready("a")
    bench.exit()
    assert bench.effects.started == ["a"]
    assert bench.due_s is None
    bench.ask("1")
    assert bench.effects.started == ["a", "a"]


def test_a_pinned_model_is_restarted_with_back_off_though_nobody_asks() -> None:
    bench = Bench()
    bench.scheduler.on_pin("a", True, bench.now_s)
    bench.load_failed()
    assert len(bench.effects.started) == 2
    bench.load_failed()
    assert len(bench.effects.started) == 2
    bench.tick_when_due()
    assert bench.now_s == 1001
    assert len(bench.effects.started) == 3


def test_a_pinned_model_that_does_not_fit_is_tried_again_when_something_changes() -> None:
    bench = Bench(LARGE)
    bench.scheduler.on_pin("a", True, bench.now_s)
    bench.loaded("a", 6 * GIB)
    bench.scheduler.on_pin("b", True, bench.now_s)
    bench.ask(request("1", "c"))
    assert bench.effects.states("b") == ["failed"]
    assert bench.due_s == 1000 + 600
    bench.scheduler.on_pin("a", False, bench.now_s)
    bench.exit("a")
    assert "b" in bench.effects.started


def test_a_load_that_takes_too_long_is_given_up() -> None:
    bench = Bench(load_timeout_s=30)
    bench.ask("1")
    bench.tick_when_due()
    assert bench.now_s == 1030
    assert "30.0 s" in error_of(bench, "1").message
    assert bench.effects.stopped == ["a"]
    bench.loaded()
    assert bench.state() == "stopping"
    bench.exit()
    assert bench.state() == "failed"


def test_an_operator_loads_without_a_request_and_whatever_the_back_off() -> None:
    bench = Bench()
    for number in range(3):
        bench.scheduler.on_load("a", number, bench.now_s)
        bench.load_failed()
    assert len(bench.effects.started) == 3
    bench.scheduler.on_load("a", 3, bench.now_s)
    bench.loaded()
    assert bench.state() == "ready"
    assert bench.scheduler.last_error("a") is None


def test_an_operator_who_leaves_before_there_is_room_loads_nothing() -> None:
    bench = Bench(LARGE)
    bench.ask("1")
    bench.loaded("a", 6 * GIB)
    bench.scheduler.on_load("b", 0, bench.now_s)
    assert bench.state("b") == "stopped"
    bench.scheduler.on_load_abandoned("b", 0)
    bench.events(finished("1"))
    assert bench.effects.started == ["a"]
    assert bench.effects.stopped == []


def test_unloading_is_refused_while_a_model_is_in_use_or_pinned() -> None:
    bench = Bench()
    bench.scheduler.on_unload("a", bench.now_s)
    bench.ask("1")
    bench.loaded()
    with pytest.raises(Conflict, match="in use"):
        bench.scheduler.on_unload("a", bench.now_s)
    bench.events(finished("1"))
    bench.scheduler.on_pin("a", True, bench.now_s)
    with pytest.raises(Conflict, match="pinned"):
        bench.scheduler.on_unload("a", bench.now_s)
    bench.scheduler.on_pin("a", False, bench.now_s)
    bench.scheduler.on_unload("a", bench.now_s)
    assert bench.effects.stopped == ["a"]


def test_unloading_a_failed_model_forgets_its_back_off() -> None:
    bench = Bench()
    for number in range(2):
        bench.ask(str(number))
        bench.load_failed()
    bench.scheduler.on_unload("a", bench.now_s)
    bench.ask("again")
    assert len(bench.effects.started) == 3


def test_the_status_of_a_model_is_what_its_worker_measured() -> None:
    bench = Bench(keep_alive_s=60)
    bench.ask(request("1", num_choices=3), request("2", num_choices=4))
    (row,) = bench.scheduler.status(bench.now_s)
    assert (row.state, row.load_ratio, row.num_waiting) == ("loading", 0.0, 2)
    bench.scheduler.on_progress("a", 0.5)
    assert bench.scheduler.status(bench.now_s)[0].load_ratio == 0.5
    bench.now_s = 1002
    bench.loaded("a", 3 * GIB)
    (row,) = bench.scheduler.status(bench.now_s)
    assert (row.num_running, row.num_waiting, row.memory_bytes) == (1, 1, 3 * GIB)
    assert row.reason == "loaded in 2.0 s"
    ready = bench.effects.of(ModelStateChanged)[-1]
    assert (ready.state, ready.memory_bytes) == ("ready", 3 * GIB)


def test_a_failure_is_no_error_of_the_next_load() -> None:
    bench = Bench()
    bench.ask("1")
    bench.load_failed()
    bench.ask("2")
    bench.exit(cause="exited with code 1: disk error")
    assert isinstance(error_of(bench, "2"), BackendError)
    assert "disk error" in error_of(bench, "2").message


def test_where_a_model_was_loaded_is_told_and_shown_when_it_is_more_than_the_processor() -> None:
    bench = Bench()
    bench.ask("1")
    on_gpu = LoadedDevice(device="CUDA0", gpu_layers=12, problem="16 layers were planned")
    bench.scheduler.on_loaded("a", replace(traits(), placed=on_gpu), GIB, bench.now_s)

    (told,) = bench.effects.of(ModelPlaced)
    assert (told.model, told.planned, told.placed) == ("a", "cpu", on_gpu)
    (row,) = bench.scheduler.status(bench.now_s)
    assert (row.gpu_layers, row.device_problem) == (12, "16 layers were planned")


def test_of_a_model_on_the_processor_as_planned_there_is_nothing_to_tell() -> None:
    bench = Bench()
    bench.ask("1")
    bench.loaded()
    assert bench.effects.of(ModelPlaced) == []

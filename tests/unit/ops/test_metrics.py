"""Metrics count what the events say."""

from msgspec.structs import replace

from appliance.core.events import (
    JobProgressed,
    JobStateChanged,
    ModelBenchmarked,
    ModelMeasured,
    ModelStateChanged,
    Outcome,
    RequestAccepted,
    RequestEnded,
    RequestQueued,
    SystemEvent,
    Timings,
    TokensEmitted,
)
from appliance.core.request import RequestId
from appliance.ops.metrics import Metrics
from tests.unit.backends.ways import measurement


def queued(id: str) -> SystemEvent:
    return RequestQueued(id=RequestId(id), model="guide", caller="local", priority="normal")


def taken(id: str) -> SystemEvent:
    return RequestAccepted(id=RequestId(id), model="guide", num_prompt_tokens=100, cached_tokens=60, queue_s=0.02)


def tokens(id: str, num_tokens: int, interval_s: float, *, is_first: bool = False) -> SystemEvent:
    return TokensEmitted(
        id=RequestId(id), model="guide", num_tokens=num_tokens, interval_s=interval_s, is_first=is_first
    )


def ended(id: str, outcome: Outcome) -> SystemEvent:
    return RequestEnded(
        id=RequestId(id),
        model="guide",
        caller="local",
        outcome=outcome,
        duration_s=1.0,
        prompt_tokens=100,
        accepted_draft_tokens=6,
        rejected_draft_tokens=2,
        timings=Timings(queue_s=0.02, prefill_s=0.4, decode_s=0.5),
        decode_tokens_per_s=22.0,
        mean_token_probability=0.75,
    )


def measured(num_preemptions: int) -> SystemEvent:
    return ModelMeasured(model="guide", kv_used_tokens=1024, kv_capacity_tokens=4096, num_preemptions=num_preemptions)


def values(*events: SystemEvent) -> dict[str, float]:
    metrics = Metrics()
    for event in events:
        metrics.observe(event)
    lines = [line for line in metrics.render().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_requests_move_from_waiting_to_running_to_ended() -> None:
    found = values(queued("a"), queued("b"), queued("c"), taken("a"), taken("b"), ended("b", "stop"))
    assert found['appliance_num_requests_waiting{model="guide"}'] == 1
    assert found['appliance_num_requests_running{model="guide"}'] == 1
    assert found['appliance_requests_total{model="guide",outcome="stop"}'] == 1


def test_a_request_that_ends_in_the_queue_leaves_the_queue() -> None:
    found = values(queued("a"), ended("a", "cancelled"), queued("b"), taken("b"))
    assert found['appliance_num_requests_waiting{model="guide"}'] == 0
    assert found['appliance_num_requests_running{model="guide"}'] == 1


def test_the_first_token_and_the_next_are_told_apart() -> None:
    found = values(tokens("a", 1, 0.4, is_first=True), tokens("a", 1, 0.03), tokens("a", 2, 0.04))
    assert found['appliance_time_to_first_token_seconds_sum{model="guide"}'] == 0.4
    assert found['appliance_inter_token_latency_seconds_count{model="guide"}'] == 2
    assert found['appliance_generation_tokens_total{model="guide"}'] == 4


def test_the_prefix_cache_is_counted_in_tokens() -> None:
    found = values(queued("a"), taken("a"), ended("a", "stop"))
    assert found['appliance_prefix_cache_queries_total{model="guide"}'] == 100
    assert found['appliance_prefix_cache_hits_total{model="guide"}'] == 60
    assert found['appliance_prompt_tokens_total{model="guide"}'] == 100
    assert found['appliance_request_queue_time_seconds_sum{model="guide"}'] == 0.02
    assert found['appliance_request_prompt_tokens_bucket{le="64.0",model="guide"}'] == 0
    assert found['appliance_request_prompt_tokens_bucket{le="256.0",model="guide"}'] == 1
    assert found['appliance_request_mean_token_probability_sum{model="guide"}'] == 0.75


def test_a_model_is_in_one_state_and_holds_memory_while_it_is_ready() -> None:
    ready = ModelStateChanged(model="guide", state="ready", reason="", memory_bytes=5)
    stopped = ModelStateChanged(model="guide", state="stopped", reason="")
    assert values(ready)['appliance_model_memory_bytes{model="guide"}'] == 5
    found = values(ready, stopped)
    assert found['appliance_model_memory_bytes{model="guide"}'] == 0
    assert found['appliance_model_state{model="guide",state="stopped"}'] == 1
    assert found['appliance_model_state{model="guide",state="ready"}'] == 0


def test_the_time_of_a_request_is_told_apart_by_what_it_went_into() -> None:
    cancelled = RequestEnded(id=RequestId("b"), model="guide", caller="local", outcome="cancelled", duration_s=1.0)
    found = values(queued("a"), taken("a"), ended("a", "stop"), queued("b"), cancelled)
    assert found['appliance_request_prefill_time_seconds_sum{model="guide"}'] == 0.4
    assert found['appliance_request_decode_time_seconds_sum{model="guide"}'] == 0.5
    assert found['appliance_request_decode_tokens_per_second_sum{model="guide"}'] == 22
    assert found['appliance_request_prefill_time_seconds_count{model="guide"}'] == 1


def test_guessed_tokens_are_counted_with_those_that_were_right() -> None:
    found = values(queued("a"), taken("a"), ended("a", "stop"))
    assert found['appliance_spec_decode_num_draft_tokens_total{model="guide"}'] == 8
    assert found['appliance_spec_decode_num_accepted_tokens_total{model="guide"}'] == 6


def test_preemptions_are_counted_on_when_a_new_worker_counts_from_the_beginning() -> None:
    again = [ModelStateChanged(model="guide", state=state, reason="") for state in ("stopped", "loading", "ready")]
    found = values(measured(2), measured(3), *again, measured(1))
    assert found['appliance_num_preemptions_total{model="guide"}'] == 4


def test_the_kv_cache_is_used_while_its_worker_lives() -> None:
    assert values(measured(0))['appliance_kv_cache_usage_ratio{model="guide"}'] == 0.25
    stopped = ModelStateChanged(model="guide", state="stopped", reason="")
    assert values(measured(0), stopped)['appliance_kv_cache_usage_ratio{model="guide"}'] == 0


def test_jobs_are_counted_by_state_and_by_how_they_ended() -> None:
    found = values(
        JobStateChanged(id="a", kind="convert", state="queued", previous=None),
        JobStateChanged(id="b", kind="convert", state="queued", previous=None),
        JobStateChanged(id="a", kind="convert", state="running", previous="queued"),
        JobStateChanged(id="b", kind="convert", state="running", previous="queued"),
        JobProgressed(id="a", kind="convert", text="", done=1, total=None, unit="ratio"),
        JobStateChanged(id="a", kind="convert", state="done", previous="running", duration_s=90.0),
    )
    assert found['appliance_jobs{kind="convert",state="queued"}'] == 0
    assert found['appliance_jobs{kind="convert",state="running"}'] == 1
    assert found['appliance_jobs_ended_total{kind="convert",outcome="done"}'] == 1
    assert found['appliance_job_duration_seconds_sum{kind="convert"}'] == 90


def test_measured_speeds_are_shown_by_the_name_that_forces_them_but_for_what_was_disturbed() -> None:
    fast, slow = (measurement(prefill=9, decode_1=one, decode_8=4 * one) for one in (60, 20))
    events = (
        ModelBenchmarked(candidate="a@b", backend="b", measurement=fast),
        ModelBenchmarked(candidate="a@b", backend="b", measurement=replace(slow, is_disturbed=True)),
    )
    found = values(*events)
    assert found['appliance_measured_prefill_tokens_per_second{model="a@b"}'] == 9
    assert found['appliance_measured_decode_tokens_per_second{model="a@b",sequences="1"}'] == 60
    assert found['appliance_measured_decode_tokens_per_second{model="a@b",sequences="8"}'] == 240

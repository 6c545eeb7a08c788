"""A calibration measures what the usual work consists of, and nothing twice."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.backends import speed
from appliance.core.calibration import CalibrateArguments, Calibrated
from appliance.core.plan import LoadPlan
from appliance.engine import calibrate_job, points
from appliance.engine.calibrate_job import calibrate
from tests.fakes import FakeReport
from tests.unit.backends.plans import plan_of


class Stopped(Exception):
    """The process ends here."""


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_LEAST_TIME_S", 0.0)
    monkeypatch.setattr(speed, "_LEAST_ROUNDS", 1)
    monkeypatch.setattr(speed, "_busy_s", lambda: 0.0)


@pytest.fixture
def report(tmp_path: Path) -> Any:
    return FakeReport(tmp_path)


def plan(path: str = "x?vocab=300", context_tokens: int = 1040, kv_capacity_tokens: int = 4096) -> LoadPlan:
    base = plan_of("echo", "echo", path, kv_capacity_tokens=kv_capacity_tokens)
    limits = {"max_sequences": 8, "max_step_sequences": 8, "max_step_tokens": 512}
    return msgspec.structs.replace(base, context_tokens=context_tokens, estimated_bytes=7, **limits)


def measure(report: Any, plan: LoadPlan) -> Calibrated:
    return calibrate(CalibrateArguments(candidate="x@echo", plan=plan), report)


def test_a_model_that_writes_is_measured_with_two_prompts_one_chat_and_eight(report: Any) -> None:
    found = measure(report, plan("x?vocab=300&step_s=0.004")).measurement

    assert [each.num_tokens for each in found.speed.prefill] == [128, 1024]
    one, eight = found.speed.decode_1_tokens_per_s, found.speed.decode_8_tokens_per_s
    assert one is not None and eight is not None
    assert eight > 2 * one  # of all eight together; how much more is the machine's affair
    assert (found.estimated_bytes, found.threads_decode, found.is_disturbed) == (7, 1, False)


def test_a_model_that_embeds_is_measured_with_inputs_alone(report: Any) -> None:
    found = measure(report, plan("x?task=embed", context_tokens=512)).measurement.speed

    assert [each.num_tokens for each in found.prefill] == [128, 512]
    assert (found.decode_1_tokens_per_s, found.decode_8_tokens_per_s) == (None, None)


def test_what_was_measured_before_it_was_stopped_is_not_measured_again(
    report: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> Any:
        raise Stopped

    with monkeypatch.context() as early, pytest.raises(Stopped):
        early.setattr(calibrate_job, "measure_decode", stop)
        measure(report, plan())
    monkeypatch.setattr(calibrate_job, "measure_prefill", lambda *_: pytest.fail("it is known"))

    found = measure(report, plan()).measurement.speed

    assert [each.num_tokens for each in found.prefill] == [128, 1024]
    assert found.decode_1_tokens_per_s is not None


def test_a_long_prompt_is_as_long_as_a_slow_model_allows(report: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate_job, "measure_prefill", lambda model, tokens: speed.Rate(20.0))
    assert [each.num_tokens for each in measure(report, plan()).measurement.speed.prefill] == [128, 400]


def test_a_very_slow_model_reads_one_prompt(report: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate_job, "measure_prefill", lambda model, tokens: speed.Rate(2.0))
    assert [each.num_tokens for each in measure(report, plan()).measurement.speed.prefill] == [128]


def test_a_small_memory_holds_eight_short_chats(report: Any) -> None:
    found = measure(report, plan(context_tokens=200, kv_capacity_tokens=200)).measurement.speed
    assert found.decode_8_tokens_per_s is not None


def test_other_programs_are_said(report: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = iter(range(0, 10_000_000, 1000))
    monkeypatch.setattr(speed, "_busy_s", lambda: float(next(asked)))
    assert measure(report, plan()).measurement.is_disturbed


def test_memory_is_the_peak_beside_the_bare_process(report: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = iter((10**12, 10**12 + 5, 0, 0))
    monkeypatch.setattr(points, "_peak_bytes", lambda: next(peaks))

    found = measure(report, plan()).measurement.memory_bytes

    assert 10**12 - 2**32 < found < 10**12 + 5


def test_the_peak_is_that_of_this_process_alone() -> None:
    assert 2**20 < points._peak_bytes() < 2**40


def test_a_damaged_file_of_points_is_measured_anew(report: Any) -> None:
    (report.folder / "points.json").write_text("{")
    assert measure(report, plan()).measurement.speed.decode_8_tokens_per_s is not None

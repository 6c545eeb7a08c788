"""What is measured next, and what becomes of what was."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.core.calibration import BATCH_SEQUENCES, CalibrateArguments, Calibrated
from appliance.core.events import ModelBenchmarked, SystemEvent
from appliance.core.jobs import Job, JobError, JobId
from appliance.core.measurement import Candidate, Explanation, Measurement
from appliance.core.plan import Artefact, Calibration, LoadPlan
from appliance.errors import DoesNotFit, InvalidRequest
from appliance.service.benchmarks import Benchmarks
from appliance.service.calibrations import Calibrations
from appliance.service.installed import Installed, name_of
from appliance.service.measurements import Measurements
from models.embedded import EMBEDDED_PATH
from models.manifest import ModelManifest
from models.store.store import ModelStore
from tests.fakes import load_plan, machine
from tests.unit.backends.ways import measurement

FOUND = msgspec.structs.replace(measurement(100, 10, 40), measured_s=time.time())
WAYS = ("one", "two", "unready")


@dataclass
class Bench:
    """Installed models that run in two ways each, and what was heard of them."""

    home: Path
    events: list[SystemEvent] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    without_room: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.store = ModelStore(self.home)
        for name in ("alpha", "beta"):
            copy = self.home / f"{name}.gguf"
            copy.write_bytes(EMBEDDED_PATH.read_bytes())
            for _ in self.store.add(copy, name, False, 1.0):
                pass
        self.measurements = Measurements(self.home / "calibration", machine(), lambda: {"one": "1", "two": "1"})
        self.calibrations = Calibrations(self.home / "calibration", machine().processor, {})
        self.benchmarks = Benchmarks(
            Installed(self.store, self.plan, "guide"),
            self,  # type: ignore[arg-type]  # a fake
            self.measurements,
            self.calibrations,
            self.events.append,
            self.moved.append,
        )

    def plan(self, model: str, manifest: ModelManifest, variant: str | None) -> LoadPlan:
        assert variant is not None
        if variant in self.without_room:
            raise DoesNotFit("no room")
        artefact = Artefact(format="gguf", path="", digest=f"sha256:{name_of(manifest)}")
        plan = msgspec.structs.replace(load_plan(model), backend="echo", artefact=artefact, kv_type=variant)
        return msgspec.structs.replace(plan, estimated_bytes=10**9)

    def explain(self, name: str) -> Explanation:
        base = name.partition("@")[0]
        ways = [(base, way) for way in WAYS] + ([("beta", "made")] if base == "alpha" else [])
        rows = tuple(self._candidate(model, way) for model, way in ways)
        return Explanation(model=name, task="generate", chosen_by="prediction", candidates=rows)

    def _candidate(self, model: str, variant: str) -> Candidate:
        return Candidate(
            variant=variant,
            backend=variant,
            device="cpu",
            model=model,
            format="gguf",
            quantization=None,
            is_chosen=False,
            is_ready=variant != "unready",
            reason="",
        )

    def keep(self, order: CalibrateArguments, found: Measurement = FOUND, threads: Calibration | None = None) -> Any:
        result = msgspec.to_builtins(Calibrated(measurement=found, threads=threads))
        return asyncio.run(self.benchmarks.keep(job_of(order), result))

    def due(self, *first: str, skipped: frozenset[str] = frozenset()) -> str | None:
        order = self.benchmarks.due(first, skipped)
        return None if order is None else order.candidate


def job_of(order: CalibrateArguments, **changes: Any) -> Job:
    arguments = msgspec.to_builtins(order)
    made = Job(id=JobId("job-1"), kind="calibrate", arguments=arguments, caller="", created_s=0.0)
    return msgspec.structs.replace(made, **changes)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_models_in_use_are_measured_first_then_the_default_one(bench: Bench) -> None:
    assert bench.due("beta", "gone") == "beta@one"
    assert bench.due() == "guide@one"


def test_every_way_that_is_ready_is_measured_once(bench: Bench) -> None:
    seen = []
    while (order := bench.benchmarks.due(())) is not None:
        seen.append(order.candidate)
        bench.keep(order)
    assert seen == [f"{name}@{way}" for name in ("guide", "alpha", "beta") for way in ("one", "two")]


def test_the_plan_is_cut_down_to_what_measuring_needs(bench: Bench) -> None:
    (order, _) = bench.benchmarks.orders("beta")
    assert order.plan.max_sequences == BATCH_SEQUENCES
    assert order.plan.context_tokens == 1040
    assert order.plan.estimated_bytes < 10**9
    assert bench.benchmarks.needed_bytes(job_of(order)) == order.plan.estimated_bytes


def test_what_is_not_wanted_or_has_no_room_is_left_out(bench: Bench) -> None:
    assert bench.due("alpha", skipped=frozenset({"alpha@one"})) == "alpha@two"
    bench.without_room.add("one")
    assert bench.due("alpha") == "alpha@two"


def test_a_person_may_measure_again_and_what_was_made_of_the_model_too(bench: Bench) -> None:
    bench.keep(bench.benchmarks.orders("alpha")[0])
    assert [each.candidate for each in bench.benchmarks.orders("alpha")] == ["alpha@one", "alpha@two", "beta@made"]
    assert [each.candidate for each in bench.benchmarks.orders("alpha", ("two",))] == ["alpha@two"]


def test_what_there_is_not_is_refused_with_what_there_is(bench: Bench) -> None:
    with pytest.raises(InvalidRequest, match="'beta' can run here on one, two"):
        bench.benchmarks.orders("beta", ("unready",))
    bench.without_room |= {"one", "two"}
    with pytest.raises(DoesNotFit):
        bench.benchmarks.orders("beta")


def test_what_was_measured_is_kept_told_and_compared(bench: Bench) -> None:
    order = bench.benchmarks.orders("beta")[0]
    first = bench.keep(order, threads=Calibration(threads_decode=3, threads_prefill=4))
    again = bench.keep(order)

    assert bench.measurements.find("sha256:beta", "echo", "one") == FOUND
    assert bench.calibrations.apply(order.plan).threads_decode == 3
    assert (first["before"], again["before"]) == (None, msgspec.to_builtins(FOUND))
    assert first["note"].startswith("100 tokens/s of a prompt of 128")
    assert bench.events[0] == ModelBenchmarked(candidate="beta@one", backend="echo", measurement=FOUND)


def test_a_loaded_model_moves_when_all_its_ways_are_measured(bench: Bench) -> None:
    one, two = bench.benchmarks.orders("beta")
    bench.keep(one)
    assert bench.moved == []
    bench.keep(two)
    assert bench.moved == ["beta"]


def test_what_was_disturbed_is_said_and_waits(bench: Bench) -> None:
    order = bench.benchmarks.orders("beta")[0]
    result = bench.keep(order, msgspec.structs.replace(FOUND, is_disturbed=True))
    assert "disturbed" in result["note"]
    assert bench.measurements.find("sha256:beta", "echo", "one") is None
    assert bench.due("beta") == "beta@two"


def test_what_fails_is_not_tried_for_ever(bench: Bench) -> None:
    order = bench.benchmarks.orders("beta")[0]
    bench.benchmarks.give_up(job_of(order, state="failed", error=JobError(message="it crashed")))
    assert bench.measurements.problem("sha256:beta", "echo", "one") == "it crashed"
    assert bench.due("beta") == "beta@two"

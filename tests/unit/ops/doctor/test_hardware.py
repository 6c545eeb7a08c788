"""Accelerators, memory, processor and clock."""

import msgspec
import pytest

from appliance.core.devices import DeviceTrial
from appliance.core.hardware import Memory
from appliance.ops.doctor import accelerators, memory, processor
from appliance.ops.doctor.clock import clock
from appliance.ops.doctor.facts import ClockFacts, Facts, ModelFacts
from appliance.ops.fallbacks import Fallback
from tests.fakes import GIB
from tests.unit.backends.gpus import device
from tests.unit.ops.doctor.machines import (
    accelerator,
    engine,
    found,
    healthy,
    in_docker,
    only,
    readings,
    with_processor,
    with_snapshot,
)


def test_a_card_without_a_driver_is_found_with_the_systems_command() -> None:
    facts = with_snapshot(accelerators=(accelerator(driver=None),))
    assert facts.snapshot is not None
    ubuntu = msgspec.structs.replace(facts.snapshot.system, name="Ubuntu 24.04 LTS")
    finding = only(
        accelerators.drivers,
        msgspec.structs.replace(facts, snapshot=msgspec.structs.replace(facts.snapshot, system=ubuntu)),
    )

    assert (finding.state, finding.mend) == ("warning", "sudo ubuntu-drivers install")
    integrated = with_snapshot(accelerators=(accelerator(driver=None, is_integrated=True),))
    assert only(accelerators.drivers, integrated).state == "note"
    assert only(accelerators.drivers, facts).mend is None, "on an unknown system no command is made up"


def test_a_driver_that_only_shows_pictures_is_none() -> None:
    assert only(accelerators.drivers, with_snapshot(accelerators=(accelerator(driver="nouveau"),))).state == "warning"


@pytest.mark.parametrize("card", [accelerator(), accelerator(vendor="other", driver=None)], ids=["driven", "virtual"])
def test_no_driver_is_asked_for_where_none_is_missing(card: object) -> None:
    assert not found(accelerators.drivers, with_snapshot(accelerators=(card,)))


def test_a_card_that_no_engine_can_use_is_noted() -> None:
    facts = with_snapshot(accelerators=(accelerator(),))
    able = msgspec.structs.replace(engine().descriptor, devices=("cpu", "cuda"))

    assert only(accelerators.engines, facts).state == "note"
    assert not found(accelerators.engines, msgspec.structs.replace(facts, engines=(engine(descriptor=able),)))
    assert not found(accelerators.engines, healthy())


def test_a_gpu_that_an_engine_uses_is_named_and_one_that_it_cannot_use_is_a_warning() -> None:
    broken = device("pci:0000:01:00.0", accelerator="pci:0000:01:00.0", trial=DeviceTrial(problem="no driver answers"))
    able = msgspec.structs.replace(engine().descriptor, gpus=(device("CUDA0"), broken))
    facts = msgspec.structs.replace(with_snapshot(accelerators=(accelerator(),)), engines=(engine(descriptor=able),))

    outcome = accelerators.devices(facts)
    assert isinstance(outcome, tuple)
    good, bad = outcome
    assert (good.state, good.title) == ("ok", "the engine one can compute on CUDA0 (a GPU)")
    assert (bad.state, bad.title, bad.reason) == ("warning", "the engine one cannot use a GPU", "no driver answers")
    assert not found(accelerators.engines, facts), "it was built for the GPU"
    assert not found(accelerators.devices, healthy())


def test_a_model_that_was_last_computed_elsewhere_than_planned_is_a_warning() -> None:
    fell = Fallback(time_s=1.0, model="qwen3", planned="CUDA0", device="cpu", problem="CUDA0 is no longer there")
    facts = msgspec.structs.replace(healthy(), fallbacks=(fell,))

    finding = only(accelerators.fallbacks, facts)
    assert (finding.state, finding.reason, finding.mend) == ("warning", fell.problem, "appliance explain qwen3")
    mended = msgspec.structs.replace(fell, device="CUDA0", problem=None)
    assert not found(accelerators.fallbacks, msgspec.structs.replace(healthy(), fallbacks=(fell, mended)))


def test_a_default_model_that_never_fits_is_an_error_and_one_that_does_not_fit_now_a_warning() -> None:
    never = ModelFacts(default_model="big", misfit="needs 9 GiB")
    now = ModelFacts(default_model="big", misfit_now="needs 9 GiB")

    assert only(memory.default_model, healthy(models=never)).state == "error"
    assert only(memory.default_model, healthy(models=now)).state == "warning"
    assert not found(memory.default_model, healthy())


def test_swap_matters_when_memory_is_short() -> None:
    short = readings(swap_used_bytes=2 * GIB, memory_available_bytes=GIB // 2)
    roomy = readings(swap_used_bytes=2 * GIB, memory_available_bytes=4 * GIB)

    assert only(memory.swap, healthy(readings=short)).state == "warning"
    assert not found(memory.swap, healthy(readings=roomy))


def limited(limit_bytes: int) -> Facts:
    return with_snapshot(
        memory=Memory(total_bytes=limit_bytes, physical_bytes=64 * GIB, limit_bytes=limit_bytes, swap_bytes=None)
    )


def test_a_container_that_gets_a_small_part_of_the_memory_is_noted() -> None:
    finding = only(memory.limit, in_docker(limited(4 * GIB)))

    assert finding.state == "note" and "4.0 GiB of this machine's 64.0 GiB" in finding.title
    assert (finding.mend or "").startswith("docker update --memory")
    assert not found(memory.limit, limited(60 * GIB))


def test_a_clock_held_at_its_lowest_is_found() -> None:
    held = with_processor(governor="powersave", max_mhz=2400.0)
    finding = only(processor.governor, msgspec.structs.replace(held, scaling_driver="acpi-cpufreq"))

    assert finding.state == "warning" and "of 2400 MHz" in finding.title
    assert finding.mend == "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"


@pytest.mark.parametrize("driver", ["intel_pstate", "amd-pstate-epp"])
def test_a_processor_that_governs_itself_is_left_in_peace(driver: str) -> None:
    facts = msgspec.structs.replace(with_processor(governor="powersave"), scaling_driver=driver)

    assert not found(processor.governor, facts)
    assert not found(processor.governor, with_processor(governor="schedutil"))


def test_throttling_now_is_a_warning_and_throttling_before_a_note() -> None:
    now = readings(is_throttled=True, throttling=("under-voltage",))
    before = readings(throttling=("under-voltage since the start",))

    assert (only(processor.throttling, healthy(readings=now)).state) == "warning"
    assert only(processor.throttling, healthy(readings=before)).reason == "under-voltage since the start"
    assert not found(processor.throttling, healthy())
    assert processor.throttling(healthy(readings=readings(is_throttled=None))) is None


def test_less_than_one_core_is_found() -> None:
    assert only(processor.quota, with_processor(quota_cores=0.5)).state == "warning"
    assert not found(processor.quota, with_processor(quota_cores=1.5))


def test_a_clock_in_the_past_is_an_error_and_one_that_may_drift_a_note() -> None:
    past = ClockFacts(now_s=0.0, installed_s=1e9)
    drifting = ClockFacts(now_s=2e9, installed_s=1e9, is_synchronized=False)

    assert [only(clock, healthy(clock=facts)).state for facts in (past, drifting)] == ["error", "note"]
    assert not found(clock, healthy())
    assert clock(healthy(clock=ClockFacts())) is None

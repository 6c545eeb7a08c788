"""Planned and actual device are compared at every load."""

import pytest
from msgspec.structs import replace

from appliance.backends.llama_cpp.settling import checked, settle
from appliance.core.devices import DeviceTrial, LoadedDevice
from appliance.errors import BackendError, OutOfDeviceMemory
from tests.unit.backends.gpus import GIB, device
from tests.unit.backends.plans import plan_of

ON_CPU = plan_of("llama_cpp", "gguf", "model.gguf")
PLAN = replace(ON_CPU, device="Vulkan0", gpu_layers=32, device_bytes=8 * GIB, gpus=(device("Vulkan0"),))
PRESENT = (device("Vulkan0", 12),)
PLENTY = 64 * GIB
# As the library logged it on a software device, with numbers of another size.
LINES = (
    "load_tensors: offloading 31 repeating layers to GPU",
    "load_tensors: offloaded 32/33 layers to GPU",
    "load_tensors:          CPU model buffer size =     1.59 MiB",
    "load_tensors:      Vulkan0 model buffer size =     4.00 MiB",
    "llama_kv_cache:    Vulkan0 KV buffer size =     2.00 MiB",
    "sched_reserve:    Vulkan0 compute buffer size =     1.50 MiB",
    "sched_reserve: Vulkan_Host compute buffer size =     9.00 MiB",
)


def test_a_plan_for_the_processor_is_kept_with_nothing_to_say() -> None:
    assert settle(ON_CPU, (), {}, PLENTY) == LoadedDevice()
    assert checked(ON_CPU, LoadedDevice(), LINES) == LoadedDevice()


def test_what_is_as_planned_is_no_problem() -> None:
    chosen = settle(PLAN, PRESENT, {}, PLENTY)
    assert (chosen.device, chosen.gpu_layers, chosen.problem) == ("Vulkan0", 32, None)
    placed = checked(PLAN, chosen, LINES)
    assert (placed.device, placed.gpu_layers, placed.num_layers, placed.problem) == ("Vulkan0", 32, 33, None)
    assert placed.memory_bytes == int(7.5 * 2**20), "what lies in the host's memory does not count"


def test_more_layers_than_the_model_has_are_all_of_them() -> None:
    plan = replace(PLAN, gpu_layers=99)
    lines = ("load_tensors: offloaded 33/33 layers to GPU",)
    assert checked(plan, settle(plan, PRESENT, {}, PLENTY), lines).problem is None


@pytest.mark.parametrize(
    ("present", "trials", "layers", "words"),
    [
        ((), {}, 0, "Vulkan0 is no longer there: llama.cpp sees no GPU at all; the processor is used"),
        (PRESENT, {"Vulkan0": DeviceTrial(problem="it hung")}, 0, "Vulkan0 failed its trial: it hung; the processor"),
        (
            (device("Vulkan0", 4),),
            {},
            16,
            "8.0 GiB were planned on Vulkan0, where 4.0 GiB are free; 16 layers are used",
        ),
        ((device("Vulkan0", 0.1),), {}, 0, "the processor is used"),
    ],
)
def test_what_differs_from_the_plan_is_said(
    present: tuple[object, ...], trials: dict[str, DeviceTrial], layers: int, words: str
) -> None:
    found = settle(PLAN, present, trials, PLENTY)  # type: ignore[arg-type]  # a fake
    assert found.gpu_layers == layers
    assert found.device == ("Vulkan0" if layers else "cpu")
    assert found.problem is not None and words in found.problem
    assert found.trials == trials, "they are kept, whatever comes of them"
    with pytest.raises(BackendError, match=r"not loaded elsewhere than planned.*engine\.device_fallback"):
        settle(replace(PLAN, device_fallback="refuse"), present, trials, PLENTY)  # type: ignore[arg-type]  # a fake


def test_without_memory_for_it_elsewhere_nothing_is_loaded() -> None:
    with pytest.raises(OutOfDeviceMemory, match=r"no longer there.*8\.0 GiB more of main memory"):
        settle(PLAN, (), {}, 4 * GIB)


def test_a_library_that_places_less_than_it_was_told_is_found_out() -> None:
    chosen = settle(PLAN, PRESENT, {}, PLENTY)
    fewer = checked(PLAN, chosen, ("load_tensors: offloaded 10/33 layers to GPU",))
    assert (fewer.device, fewer.gpu_layers) == ("Vulkan0", 10)
    assert fewer.problem == "llama.cpp put 10 of 32 planned layers on Vulkan0"
    silent = checked(PLAN, chosen, ())
    assert silent.device == "cpu" and silent.problem is not None
    with pytest.raises(BackendError):
        checked(replace(PLAN, device_fallback="refuse"), chosen, ())


def test_a_problem_of_the_plan_itself_is_handed_on() -> None:
    plan = replace(ON_CPU, device_problem="there is no CUDA0 here")
    assert settle(plan, (), {}, PLENTY).problem == "there is no CUDA0 here"

"""Which layers of a model go to a GPU."""

import pytest
from msgspec.structs import replace

from appliance.backends.placement import own_memory_bytes, place, whole_capacity_tokens
from appliance.core.devices import DeviceTrial, EngineDevice
from appliance.core.plan import MemoryEstimate
from appliance.errors import BackendError
from appliance.settings import EngineSettings
from models.manifest import ModelDetails
from tests.unit.backends.gpus import GIB, PASSED, device, seen_on

AUTO = EngineSettings()
KV_BYTES = 128 * 2**10
# Shapes of Llama 3: 8 and 70 billion parameters in four bits.
SMALL = ModelDetails(num_layers=32, vocab_size=128_256, embedding_length=4096, num_parameters=8_030_000_000)
LARGE = ModelDetails(num_layers=80, vocab_size=128_256, embedding_length=8192, num_parameters=70_600_000_000)
TOKENS = 32_768


def need(weights_gib: float, kv_bytes: int = KV_BYTES) -> MemoryEstimate:
    return MemoryEstimate(
        weights_bytes=int(weights_gib * GIB), kv_bytes_per_token=kv_bytes, kv_type="f16", scratch_bytes=GIB // 4
    )


def tried(devices: tuple[EngineDevice, ...], trial: DeviceTrial) -> tuple[EngineDevice, ...]:
    return tuple(replace(each, trial=trial) for each in devices)


@pytest.mark.parametrize(
    ("machine", "trial", "details", "weights_gib", "expected"),
    [
        ("rtx-workstation", PASSED, SMALL, 4.6, ("CUDA0", 33)),
        ("rtx-workstation", None, SMALL, 4.6, ("CUDA0", 33)),
        ("rtx-workstation", PASSED, LARGE, 40, ("CUDA1", 41)),
        ("rtx-workstation", PASSED, ModelDetails(), 4.6, ("cpu", 0)),
        ("radeon-workstation", PASSED, SMALL, 4.6, ("ROCm0", 33)),
        ("core-ultra-laptop", None, SMALL, 4.6, ("cpu", 0)),
        ("core-ultra-laptop", DeviceTrial(prefill_ratio=1.2), SMALL, 4.6, ("cpu", 0)),
        ("core-ultra-laptop", DeviceTrial(prefill_ratio=2.5), SMALL, 4.6, ("Vulkan0", 33)),
        ("jetson-agx-orin", DeviceTrial(prefill_ratio=9.0), SMALL, 4.6, ("CUDA0", 33)),
        ("jetson-agx-orin", None, SMALL, 4.6, ("cpu", 0)),
    ],
)
def test_layers_go_where_they_fit_and_gain(
    machine: str, trial: DeviceTrial | None, details: ModelDetails, weights_gib: float, expected: tuple[str, int]
) -> None:
    devices = tuple(replace(each, trial=trial) for each in seen_on(machine))
    found = place(need(weights_gib), details, devices, AUTO, TOKENS)
    assert (found.device, found.gpu_layers) == expected
    assert found.reasons
    assert found.problem is None


def test_without_any_gpu_there_is_nothing_to_say() -> None:
    found = place(need(4), SMALL, (), AUTO, 1024)
    assert (found.device, found.gpu_layers, found.device_bytes, found.reasons) == ("cpu", 0, 0, ())
    assert found.main_bytes == need(4).weights_bytes + need(4).scratch_bytes + 1024 * KV_BYTES


@pytest.mark.parametrize("free_gib", [2.5, 4, 8, 12, 20, 40])
def test_what_lies_on_a_device_never_takes_more_than_is_free_less_a_reserve(free_gib: float) -> None:
    found = place(need(40), LARGE, (device(free_gib=free_gib),), AUTO, 8192)
    assert found.device_bytes <= (free_gib - 1) * GIB
    whole_bytes = need(40).weights_bytes + 8192 * KV_BYTES
    assert found.device_bytes + found.main_bytes >= whole_bytes, "nothing is lost between the two"


def test_more_free_memory_never_means_fewer_layers() -> None:
    layers = [place(need(40), LARGE, (device(free_gib=free),), AUTO, 8192).gpu_layers for free in range(1, 60)]
    assert layers == sorted(layers)
    assert layers[0] == 0
    assert layers[-1] == 81


def test_a_layer_or_two_of_many_are_not_worth_the_way_to_the_gpu() -> None:
    found = place(need(40), LARGE, (device(free_gib=4),), AUTO, 8192)
    assert found.device == "cpu"
    assert "a single layer takes" in found.reasons[0]


def test_an_integrated_gpu_adds_no_memory() -> None:
    shared = (device(is_integrated=True, trial=PASSED),)
    found = place(need(4), SMALL, shared, AUTO, 1024)
    assert found.gpu_layers == 33
    assert found.device_bytes == 0
    assert found.main_bytes == need(4).weights_bytes + need(4).scratch_bytes + 1024 * KV_BYTES
    assert own_memory_bytes(shared, AUTO) == 0
    assert whole_capacity_tokens(need(4), SMALL, shared, AUTO) is None


def test_a_device_that_failed_its_trial_is_left_out_and_that_is_a_problem() -> None:
    failed = (device(trial=DeviceTrial(problem="it was ended by signal 11")),)
    found = place(need(4), SMALL, failed, AUTO, 1024)
    assert (found.device, found.gpu_layers) == ("cpu", 0)
    assert found.problem is not None and "signal 11" in found.problem
    with pytest.raises(BackendError, match=r"signal 11.*engine\.device_fallback"):
        place(need(4), SMALL, failed, EngineSettings(device_fallback="refuse"), 1024)


def test_beside_one_that_failed_another_serves() -> None:
    failed = device(trial=DeviceTrial(problem="wrong answers"))
    found = place(need(4), SMALL, (failed, device("CUDA1", 10)), AUTO, 1024)
    assert found.device == "CUDA1"
    assert any("wrong answers" in reason for reason in found.reasons)


def test_a_device_can_be_set_also_one_that_nobody_would_choose() -> None:
    devices = (*seen_on("rtx-workstation"), device("Vulkan0", 8, is_integrated=True))
    assert place(need(4), SMALL, devices, EngineSettings(device="CUDA0"), 1024).device == "CUDA0"
    assert place(need(4), SMALL, devices, EngineSettings(device="Vulkan0"), 1024).device == "Vulkan0"
    assert place(need(4), SMALL, devices, EngineSettings(device="cpu"), 1024).device == "cpu"


def test_a_set_device_that_is_not_there_is_a_problem_or_refused() -> None:
    found = place(need(4), SMALL, seen_on("rtx-workstation"), EngineSettings(device="Vulkan3"), 1024)
    assert found.device == "cpu"
    assert found.problem == "there is no Vulkan3 here, there is CUDA0, CUDA1"
    with pytest.raises(BackendError, match="there is no Vulkan3"):
        place(need(4), SMALL, (), EngineSettings(device="Vulkan3", device_fallback="refuse"), 1024)


def test_what_was_measured_of_the_very_model_decides() -> None:
    assert place(need(4), SMALL, (device(),), AUTO, 1024, {"CUDA0": 0.9}).device == "cpu"
    shared = (device(is_integrated=True),)
    assert place(need(4), SMALL, shared, AUTO, 1024, {"CUDA0": 1.4}).device == "CUDA0"


def test_the_cache_that_leaves_all_layers_on_the_gpu_is_known() -> None:
    devices = (device(free_gib=10),)
    tokens = whole_capacity_tokens(need(4), SMALL, devices, AUTO)
    assert tokens is not None
    assert place(need(4), SMALL, devices, AUTO, tokens).gpu_layers == 33
    assert place(need(4), SMALL, devices, AUTO, tokens + 4096).gpu_layers < 33
    assert whole_capacity_tokens(need(40), SMALL, devices, AUTO) is None
    assert own_memory_bytes(devices, AUTO) == 9 * GIB
    assert own_memory_bytes(devices, EngineSettings(device="cpu")) == 0

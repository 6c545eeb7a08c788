"""The GPUs as they are now: trials are kept, what models hold is not free, and drivers come and go."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance.core.devices import DeviceTrial, EngineDevice, LoadedDevice
from appliance.core.events import ModelPlaced, ModelStateChanged
from appliance.core.plan import BackendDescriptor
from appliance.service.devices import Devices
from tests.unit.backends.gpus import GIB, device

GPU = device("Vulkan0", 12, driver="amdgpu 6.10.5")
PASSED, FAILED = DeviceTrial(prefill_ratio=3.0), DeviceTrial(problem="it hung")
ENGINE = BackendDescriptor(
    name="one",
    state="ready",
    message="one 1.0 with Vulkan",
    mend=None,
    formats=frozenset({"gguf"}),
    devices=("cpu", "Vulkan0"),
    kv_types=("f16",),
    version="1.0",
    gpus=(GPU,),
)


class Machine:
    """What can change while a daemon runs."""

    def __init__(self) -> None:
        self.gpus: tuple[EngineDevice, ...] = (GPU,)
        self.drivers = "amdgpu 6.10.5"
        self.asleep_s = 100.0
        self.now_s = 1000.0
        self.num_asked = 0

    def ask(self) -> Sequence[BackendDescriptor]:
        self.num_asked += 1
        return (replace(ENGINE, gpus=self.gpus),)

    def open(self, folder: Path) -> Devices:
        return Devices(folder, self.ask, lambda: self.drivers, lambda: self.asleep_s, lambda: self.now_s)


@pytest.fixture
def box() -> Machine:
    return Machine()


def gpus(devices: Devices, model: str = "other", engine: BackendDescriptor = ENGINE) -> tuple[EngineDevice, ...]:
    return devices.describe(model, (engine,))[0].gpus


def placed(model: str, trial: DeviceTrial | None = None, memory_bytes: int = 0) -> ModelPlaced:
    trials = {"Vulkan0": trial} if trial is not None else {}
    return ModelPlaced(
        model=model,
        planned="Vulkan0",
        placed=LoadedDevice(device="Vulkan0", memory_bytes=memory_bytes, trials=trials),
    )


def test_without_gpus_descriptors_stay_the_very_same(tmp_path: Path, box: Machine) -> None:
    plain = (replace(ENGINE, gpus=()),)
    devices = box.open(tmp_path)
    box.drivers = "another"
    assert devices.describe("a", plain) is plain
    assert box.num_asked == 0


def test_a_trial_is_kept_over_a_restart(tmp_path: Path, box: Machine) -> None:
    devices = box.open(tmp_path)
    assert gpus(devices)[0].trial is None
    devices.observe(placed("a", PASSED))
    assert gpus(devices)[0].trial == PASSED
    assert gpus(box.open(tmp_path))[0].trial == PASSED


@pytest.mark.parametrize(
    "change",
    [
        replace(ENGINE, message="one 1.1 with Vulkan"),
        replace(ENGINE, gpus=(replace(GPU, driver="amdgpu 6.11"),)),
        replace(ENGINE, gpus=(replace(GPU, description="another GPU"),)),
    ],
    ids=["library", "driver", "device"],
)
def test_another_library_driver_or_device_is_tried_again(
    tmp_path: Path, box: Machine, change: BackendDescriptor
) -> None:
    devices = box.open(tmp_path)
    gpus(devices)
    devices.observe(placed("a", PASSED))
    assert gpus(box.open(tmp_path), engine=change)[0].trial is None


def test_a_new_vulkan_driver_is_another_driver(tmp_path: Path, box: Machine) -> None:
    devices = box.open(tmp_path)
    gpus(devices)
    devices.observe(placed("a", PASSED))
    box.drivers = "radeon_icd.json 2"
    assert gpus(box.open(tmp_path))[0].trial is None


def test_what_failed_is_left_alone_for_a_day(tmp_path: Path, box: Machine) -> None:
    devices = box.open(tmp_path)
    gpus(devices)
    devices.observe(placed("a", FAILED))
    assert gpus(devices)[0].trial == FAILED
    box.now_s += 86_401
    assert gpus(devices)[0].trial is None
    devices.observe(placed("a", PASSED))
    box.now_s += 10 * 86_400
    assert gpus(devices)[0].trial == PASSED


def test_what_other_models_hold_of_a_gpu_is_not_free(tmp_path: Path, box: Machine) -> None:
    devices = box.open(tmp_path)
    devices.observe(placed("a", memory_bytes=5 * GIB))
    assert gpus(devices, "b")[0].free_bytes == 7 * GIB
    assert gpus(devices, "a")[0].free_bytes == 12 * GIB, "its own place is free for itself"
    devices.observe(placed("c", memory_bytes=20 * GIB))
    assert gpus(devices, "b")[0].free_bytes == 0
    for model in ("a", "c"):
        devices.observe(ModelStateChanged(model=model, state="stopped", reason=""))
    assert gpus(devices, "b")[0].free_bytes == 12 * GIB


def test_the_library_is_asked_again_when_the_machine_slept_or_a_driver_changed(tmp_path: Path, box: Machine) -> None:
    devices = box.open(tmp_path)
    gpus(devices)
    box.asleep_s += 0.4
    gpus(devices)
    assert box.num_asked == 0, "two clocks are never read at the very same moment"
    box.asleep_s += 3600
    box.gpus = (replace(GPU, free_bytes=3 * GIB),)
    assert gpus(devices)[0].free_bytes == 3 * GIB
    gpus(devices)
    assert box.num_asked == 1
    box.drivers = "amdgpu 6.11"
    gpus(devices)
    assert box.num_asked == 2


def test_a_gpu_that_did_not_wake_up_is_a_problem_and_not_a_machine_without_one(tmp_path: Path, box: Machine) -> None:
    devices = box.open(tmp_path)
    gpus(devices)
    devices.observe(placed("a", PASSED))
    box.asleep_s += 60
    box.gpus = ()
    (gone,) = gpus(devices)
    assert gone.trial is not None and gone.trial.problem is not None and "no longer sees it" in gone.trial.problem
    box.asleep_s += 60
    box.gpus = (GPU,)
    assert gpus(devices)[0].trial == PASSED, "it is back, and nothing was kept against it"

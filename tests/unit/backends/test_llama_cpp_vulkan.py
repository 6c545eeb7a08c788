"""llama.cpp's Vulkan build on a software device: everything about a GPU but its speed, on any machine.

APPLIANCE_TEST_VULKAN names a folder with that build (`pip install --target FOLDER WHEEL`); `sh tests/run full` makes it
where Vulkan's toolkit and Mesa's software driver are installed.
"""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from appliance.core.devices import DeviceTrial, EngineDevice, LoadedDevice

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_DRIVERS = Path("/usr/share/vulkan/icd.d").glob("lvp_icd*.json")
_JOB = "appliance.backends.llama_cpp.device_job"
# Loads the model that comes with us with so many layers on the device, and prints where it went and its logits.
_LOAD = """
import sys
import msgspec, numpy as np
from msgspec.structs import replace
from appliance.backends.base import Batch, Run
from appliance.backends.llama_cpp.backend import LlamaCppBackend
from appliance.backends.trial_plan import trial_plan
from appliance.core.devices import DeviceTrial, EngineDevice
from appliance.core.plan import Artefact
from models.embedded import EMBEDDED_PATH

device, layers, trial = sys.argv[1], int(sys.argv[2]), DeviceTrial() if sys.argv[3] == "tried" else None
artefact = Artefact(format="gguf", path=str(EMBEDDED_PATH), digest="")
plan = trial_plan("llama_cpp", artefact, num_tokens=64, step_tokens=64, num_threads=2, kv_type="f16")
gpu = EngineDevice(name=device, description="", is_integrated=False, total_bytes=2**31, free_bytes=2**31, trial=trial)
plan = replace(plan, device=device if layers else "cpu", gpu_layers=layers, device_bytes=2**25, gpus=(gpu,))
model = LlamaCppBackend().load(plan, lambda _: None)
tokens = np.arange(300, 332, dtype=np.int32)
rows = [model.step(Batch((Run(0, 0, tokens[:24], 8),))).logits[0].copy()]
rows += [model.step(Batch((Run(0, at, tokens[at : at + 1], 1),))).logits[0].copy() for at in range(24, 32)]
print(msgspec.json.encode((model.traits.placed, np.concatenate(rows).argmax(axis=1).tolist())).decode())
"""


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    folder = os.environ.get("APPLIANCE_TEST_VULKAN")
    if not folder:
        pytest.skip("APPLIANCE_TEST_VULKAN names no folder with llama.cpp's Vulkan build (sh tests/run full makes one)")
    if next(_DRIVERS, None) is None:
        pytest.skip("there is no software device: apt-get install -y mesa-vulkan-drivers")
    # The library leaves software devices out unless they are named. Fused kernels crash Mesa 22.3's compiler.
    named = {"GGML_VK_VISIBLE_DEVICES": "0", "GGML_VK_DISABLE_FUSION": "1", "VK_LOADER_DRIVERS_SELECT": "*lvp*"}
    return os.environ | named | {"PYTHONPATH": folder}


def run(environ: dict[str, str], *arguments: str) -> bytes:
    done = subprocess.run([sys.executable, *arguments], env=environ, capture_output=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def load(environ: dict[str, str], device: str, layers: int, trial: str = "tried") -> tuple[LoadedDevice, list[int]]:
    told = run(environ, "-c", _LOAD, device, str(layers), trial)
    placed, best = msgspec.json.decode(told, type=tuple[LoadedDevice, list[int]])
    return placed, best


def test_the_device_is_listed_with_its_memory(environ: dict[str, str]) -> None:
    (device,) = msgspec.json.decode(run(environ, "-m", _JOB, "list"), type=tuple[EngineDevice, ...])
    assert (device.name, device.is_integrated) == ("Vulkan0", False)
    assert 0 < device.free_bytes <= device.total_bytes


def test_its_answers_pass_the_trial(environ: dict[str, str]) -> None:
    trial = msgspec.json.decode(run(environ, "-m", _JOB, "try", "Vulkan0"), type=DeviceTrial)
    assert trial.problem is None
    assert trial.prefill_ratio is not None and trial.prefill_ratio > 0


@pytest.mark.parametrize("layers", [3, 8], ids=["a part", "all"])
def test_layers_are_where_they_were_planned_and_answer_as_on_the_processor(
    environ: dict[str, str], layers: int
) -> None:
    on_cpu, expected = load(environ, "Vulkan0", 0)
    on_gpu, got = load(environ, "Vulkan0", layers)
    assert on_cpu == LoadedDevice()
    assert (on_gpu.device, on_gpu.gpu_layers, on_gpu.num_layers, on_gpu.problem) == ("Vulkan0", layers, 8, None)
    assert on_gpu.memory_bytes > 0
    agreement = sum(one == other for one, other in zip(expected, got, strict=True)) / len(got)
    assert agreement >= 0.75, "half precision turns what was nearly equal around, and nothing else"


def test_a_device_that_was_never_tried_is_tried_before_it_is_used(environ: dict[str, str]) -> None:
    placed, _ = load(environ, "Vulkan0", 8, "untried")
    assert placed.device == "Vulkan0"
    assert placed.trials["Vulkan0"].problem is None


def test_a_device_that_is_not_there_leaves_the_processor_and_says_so(environ: dict[str, str]) -> None:
    placed, best = load(environ, "Vulkan7", 8)
    assert (placed.device, placed.gpu_layers) == ("cpu", 0)
    assert placed.problem is not None and "Vulkan7 is no longer there: llama.cpp sees Vulkan0" in placed.problem
    assert best

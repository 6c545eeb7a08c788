"""Where a model goes when it is loaded, after a look at what is there now, and where it went: pure.

The plan was made before. Meanwhile a GPU may have failed its trial, left with its driver, or lost memory to another
program. What differs from the plan is a problem, which is told: nothing falls back in silence.
"""

import re
from collections.abc import Mapping, Sequence

from appliance.core.devices import DeviceTrial, EngineDevice, LoadedDevice
from appliance.core.plan import LoadPlan
from appliance.core.units import format_bytes
from appliance.errors import BackendError, OutOfDeviceMemory

CPU = "cpu"
_LEAST_LAYERS_RATIO = 0.1
# What the library says of a load. Source: llama.cpp, load_tensors in llama-model.cpp, and llama-kv-cache.cpp.
_OFFLOADED = re.compile(r"offloaded (\d+)/(\d+) layers to GPU")
_BUFFER = re.compile(r"(\S+)\s+(?:model|KV|RS|compute|output) buffer size =\s+([\d.]+) MiB")


def settle(
    plan: LoadPlan, present: Sequence[EngineDevice], trials: Mapping[str, DeviceTrial], available_bytes: int
) -> LoadedDevice:
    """Return where to load now; `available_bytes` is the main memory that is free.

    Raises: BackendError, where the policy refuses another place; OutOfDeviceMemory, where there is no other.
    """
    tried = dict(trials)
    if not plan.gpu_layers:
        return LoadedDevice(problem=plan.device_problem, trials=tried)
    num_layers, problem = _layers_now(plan, present, trials)
    if problem is None:
        return LoadedDevice(device=plan.device, gpu_layers=num_layers, problem=plan.device_problem, trials=tried)
    more_bytes = plan.device_bytes - plan.device_bytes * num_layers // plan.gpu_layers
    if more_bytes > available_bytes:
        missing = f"{format_bytes(more_bytes)} more of main memory, of which {format_bytes(available_bytes)} are free"
        raise OutOfDeviceMemory(f"{problem}; to load it elsewhere takes {missing}; free memory on {plan.device}")
    device = plan.device if num_layers else CPU
    where = f"{num_layers} layers are" if num_layers else "the processor is"
    return _told(plan, LoadedDevice(device=device, gpu_layers=num_layers, trials=tried), f"{problem}; {where} used")


def checked(plan: LoadPlan, chosen: LoadedDevice, lines: Sequence[str]) -> LoadedDevice:
    """Return where the model went, from what the library said while it loaded it. Raises: BackendError, as `settle`."""
    if not chosen.gpu_layers:
        return chosen
    found = next(filter(None, map(_OFFLOADED.search, lines)), None)
    num_offloaded, num_layers = (int(found[1]), int(found[2])) if found else (0, 0)
    sizes = [(match[1], float(match[2])) for match in filter(None, map(_BUFFER.search, lines))]
    memory_bytes = int(sum(mib for name, mib in sizes if name == chosen.device) * 2**20)
    placed = LoadedDevice(
        device=chosen.device if num_offloaded else CPU,
        gpu_layers=num_offloaded,
        num_layers=num_layers,
        memory_bytes=memory_bytes,
        problem=chosen.problem,
        trials=chosen.trials,
    )
    if num_offloaded >= min(chosen.gpu_layers, num_layers) and num_offloaded:
        return placed
    said = f"llama.cpp put {num_offloaded} of {chosen.gpu_layers} planned layers on {chosen.device}"
    return _told(plan, placed, said)


def _layers_now(
    plan: LoadPlan, present: Sequence[EngineDevice], trials: Mapping[str, DeviceTrial]
) -> tuple[int, str | None]:
    trial = trials.get(plan.device)
    if trial is not None and trial.problem is not None:
        return 0, f"{plan.device} failed its trial: {trial.problem}"
    device = next((each for each in present if each.name == plan.device), None)
    if device is None:
        seen = ", ".join(each.name for each in present) or "no GPU at all"
        return 0, f"{plan.device} is no longer there: llama.cpp sees {seen}"
    if device.free_bytes >= plan.device_bytes or device.is_integrated:
        return plan.gpu_layers, None
    num_layers = plan.gpu_layers * device.free_bytes // plan.device_bytes
    num_layers = num_layers if num_layers >= _LEAST_LAYERS_RATIO * plan.gpu_layers else 0
    free = format_bytes(device.free_bytes)
    return num_layers, f"{format_bytes(plan.device_bytes)} were planned on {plan.device}, where {free} are free"


def _told(plan: LoadPlan, placed: LoadedDevice, problem: str) -> LoadedDevice:
    if plan.device_fallback == "refuse":
        raise BackendError(
            f"model '{plan.model}' is not loaded elsewhere than planned: {problem}; "
            "set engine.device to cpu, or engine.device_fallback to warn"
        )
    return LoadedDevice(
        device=placed.device,
        gpu_layers=placed.gpu_layers,
        num_layers=placed.num_layers,
        memory_bytes=placed.memory_bytes,
        problem=problem if placed.problem is None else f"{placed.problem}; {problem}",
        trials=placed.trials,
    )

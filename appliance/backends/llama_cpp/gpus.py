"""The GPUs that llama.cpp can use here, asked for and tried in child processes. Never imports the library."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from appliance.backends.children import ask_child
from appliance.backends.llama_cpp.gpu_build import LABELS, gpu_libraries
from appliance.core.devices import DeviceTrial, EngineDevice
from appliance.core.hardware import Accelerator
from appliance.errors import BackendError

_PROGRAM = "appliance.backends.llama_cpp.device_job"
_ASK_TIMEOUT_S = 20.0
_TRY_TIMEOUT_S = 180.0  # a first run may compile kernels for the device
_VENDORS = {
    "cuda": ("nvidia",),
    "hip": ("amd",),
    "sycl": ("intel",),
    "vulkan": ("nvidia", "amd", "intel"),
}
_LOOKING = {"cuda": "nvidia-smi", "hip": "rocminfo", "sycl": "sycl-ls", "vulkan": "vulkaninfo --summary"}


class Found(NamedTuple):
    """The GPUs that the library sees or should see, and why it could not be asked, if so."""

    gpus: tuple[EngineDevice, ...] = ()
    problem: str | None = None


def find_gpus(accelerators: Sequence[Accelerator], timeout_s: float = _ASK_TIMEOUT_S) -> Found:
    """Ask the installed library for its GPUs; without code for any it is not even asked."""
    libraries = gpu_libraries()
    if not libraries:
        return Found()
    try:
        told = ask_child("llama.cpp, asked for its GPUs,", ("-m", _PROGRAM, "list"), timeout_s)
        seen = msgspec.json.decode(told, type=tuple[EngineDevice, ...])
    except (BackendError, msgspec.DecodeError) as error:
        return Found(described((), accelerators, libraries, str(error)), str(error))
    return Found(described(seen, accelerators, libraries, None))


def try_gpu(name: str, timeout_s: float = _TRY_TIMEOUT_S) -> DeviceTrial:
    """Run some tokens on a GPU and compare them with the processor's. Never raises: a crash is an outcome, too."""
    try:
        told = ask_child("its trial", ("-m", _PROGRAM, "try", name), timeout_s)
        return msgspec.json.decode(told, type=DeviceTrial)
    except (BackendError, msgspec.DecodeError) as error:
        return DeviceTrial(problem=str(error))


def described(
    seen: Sequence[EngineDevice], accelerators: Sequence[Accelerator], libraries: Sequence[str], problem: str | None
) -> tuple[EngineDevice, ...]:
    """Return the devices, and each GPU of its own memory that the library has code for and does not see.

    Of those the reason stands in place of a trial: a machine whose driver broke must not look like one without a GPU.
    `problem` is why the library did not answer, if so.
    """
    found = matched(seen, accelerators)
    known = {device.accelerator for device in found}
    unseen = [
        EngineDevice(
            name=gpu.id,
            description=gpu.name or gpu.vendor,
            is_integrated=False,
            total_bytes=0,
            free_bytes=0,
            accelerator=gpu.id,
            driver=_driver(gpu),
            trial=DeviceTrial(problem=problem or _unseen(gpu, libraries)),
        )
        for gpu in _gpus(accelerators)
        if gpu.id not in known and gpu.is_integrated is False and _libraries_for(gpu, libraries)
    ]
    return (*found, *unseen)


def matched(seen: Sequence[EngineDevice], accelerators: Sequence[Accelerator]) -> tuple[EngineDevice, ...]:
    """Return the devices with their accelerators: by the address on the bus, or where there is one of each."""
    gpus = _gpus(accelerators)
    return tuple(_matched(device, _of(device, gpus, is_only=len(seen) == 1)) for device in seen)


def _of(device: EngineDevice, gpus: Sequence[Accelerator], *, is_only: bool) -> Accelerator | None:
    if device.accelerator is not None:
        return next((gpu for gpu in gpus if gpu.id == device.accelerator), None)
    return gpus[0] if is_only and len(gpus) == 1 else None


def _matched(device: EngineDevice, gpu: Accelerator | None) -> EngineDevice:
    if gpu is None:
        return replace(device, accelerator=None)
    is_integrated = device.is_integrated or bool(gpu.is_integrated)
    return replace(device, accelerator=gpu.id, driver=_driver(gpu), is_integrated=is_integrated)


def _gpus(accelerators: Sequence[Accelerator]) -> list[Accelerator]:
    return [accelerator for accelerator in accelerators if accelerator.kind == "gpu"]


def _driver(gpu: Accelerator) -> str | None:
    return " ".join(filter(None, (gpu.driver, gpu.driver_version))) or None


def _libraries_for(gpu: Accelerator, libraries: Sequence[str]) -> list[str]:
    return [name for name in libraries if gpu.vendor in _VENDORS.get(name, ())]


def _unseen(gpu: Accelerator, libraries: Sequence[str]) -> str:
    if gpu.driver is None:
        return "no driver is bound to it; `appliance doctor` says what mends it"
    names = " and ".join(LABELS[name] for name in _libraries_for(gpu, libraries))
    look = " or ".join(_LOOKING[name] for name in _libraries_for(gpu, libraries))
    return f"llama.cpp does not see it through {names}, although the driver {_driver(gpu)} is there; look with: {look}"

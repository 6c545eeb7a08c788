"""The GPUs of every backend as they are now: asked for anew when a driver changed, with what trials and loads told.

A trial is kept for as long as device, driver and library are the same, one that failed for a day: a GPU may have
failed for want of memory that another program held. What loaded models hold of a GPU's memory is not free: the
scheduler evicts for main memory alone.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec.structs import replace

from appliance.core.devices import DeviceTrial, EngineDevice
from appliance.core.events import ModelPlaced, ModelStateChanged, SystemEvent
from appliance.core.plan import BackendDescriptor

from .small_files import Fields, SmallFiles

_VERSION = 1
_FAILED_FOR_S = 86_400.0
_NOTICEABLE_S = 1.0
_GONE = "it was there before, and the library no longer sees it; look at the driver: appliance doctor"

_log = logging.getLogger(__name__)

Gpus = dict[str, tuple[EngineDevice, ...]]


class KeptTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A trial and when it was made, in seconds since 1970."""

    trial: DeviceTrial
    tried_s: float


@dataclass(frozen=True, slots=True)
class _Held:
    device: str
    memory_bytes: int


@dataclass(slots=True)
class Devices:
    """Owns what is known of GPUs.

    `ask` starts child processes; `drivers` is a text that changes with the drivers, `asleep_s` grows while the machine
    sleeps: after both a GPU may be another one, or none.
    """

    folder: Path
    ask: Callable[[], Sequence[BackendDescriptor]]
    drivers: Callable[[], str]
    asleep_s: Callable[[], float]
    now_s: Callable[[], float] = time.time
    _trials: SmallFiles[KeptTrial] = field(init=False)
    _drivers: str = field(init=False)
    _asleep_s: float = field(init=False)
    _asked: Gpus | None = field(init=False, default=None)
    _described: Sequence[BackendDescriptor] = field(init=False, default=())
    _held: dict[str, _Held] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Note the drivers as they are at the start."""
        self._trials = SmallFiles(self.folder, "device", _VERSION, KeptTrial, "the GPU is tried again")
        self._drivers, self._asleep_s = self.drivers(), self.asleep_s()

    def describe(self, model: str, descriptors: Sequence[BackendDescriptor]) -> Sequence[BackendDescriptor]:
        """Return the descriptors with their GPUs as they are now for that model. Without any GPU: as they were."""
        if not any(descriptor.gpus for descriptor in descriptors):
            return descriptors
        self._described = tuple(self._now(descriptor) for descriptor in self._asked_again(descriptors))
        others = [held for name, held in self._held.items() if name != model]
        return [replace(each, gpus=tuple(_left(gpu, others) for gpu in each.gpus)) for each in self._described]

    def observe(self, event: SystemEvent) -> None:
        """Keep the trials that a worker made, and note what models hold of devices."""
        if isinstance(event, ModelPlaced):
            self._held[event.model] = _Held(event.placed.device, event.placed.memory_bytes)
            for name, trial in event.placed.trials.items():
                self._keep(name, trial)
        elif isinstance(event, ModelStateChanged) and event.state in ("stopped", "failed"):
            self._held.pop(event.model, None)

    def _asked_again(self, descriptors: Sequence[BackendDescriptor]) -> Sequence[BackendDescriptor]:
        """Return them with GPUs that were asked for since a driver changed, those that are gone among them."""
        drivers, asleep_s = self.drivers(), self.asleep_s()
        if drivers != self._drivers or asleep_s - self._asleep_s > _NOTICEABLE_S:
            self._drivers, self._asleep_s = drivers, asleep_s
            self._asked = {each.name: each.gpus for each in self.ask()}
            _log.info("the machine slept, or a driver of its GPUs changed: they were asked for again")
        if self._asked is None:
            return descriptors
        return [replace(each, gpus=_with_gone(self._asked.get(each.name, ()), each.gpus)) for each in descriptors]

    def _now(self, descriptor: BackendDescriptor) -> BackendDescriptor:
        return replace(descriptor, gpus=tuple(self._tried(gpu, descriptor) for gpu in descriptor.gpus))

    def _tried(self, gpu: EngineDevice, descriptor: BackendDescriptor) -> EngineDevice:
        if gpu.trial is not None:
            return gpu
        kept = self._trials.read(self._fields(gpu, descriptor))
        if kept is None or (kept.trial.problem is not None and self.now_s() - kept.tried_s > _FAILED_FOR_S):
            return gpu
        return replace(gpu, trial=kept.trial)

    def _keep(self, name: str, trial: DeviceTrial) -> None:
        for descriptor in self._described:
            for gpu in descriptor.gpus:
                if gpu.name == name:
                    self._write(self._fields(gpu, descriptor), KeptTrial(trial=trial, tried_s=self.now_s()))

    def _write(self, fields: Fields, kept: KeptTrial) -> None:
        try:
            self._trials.write(fields, kept)
        except OSError as error:
            _log.warning("the trial of a GPU cannot be kept: %s", error)

    def _fields(self, gpu: EngineDevice, descriptor: BackendDescriptor) -> dict[str, str | int | None]:
        return {
            "backend": descriptor.name,
            "library": descriptor.message,
            "device": gpu.name,
            "description": gpu.description,
            "accelerator": gpu.accelerator,
            "driver": gpu.driver,
            "drivers": self._drivers,
            "total_bytes": gpu.total_bytes,
        }


def _with_gone(now: Sequence[EngineDevice], before: Sequence[EngineDevice]) -> tuple[EngineDevice, ...]:
    """Return the GPUs of now, and those that are gone with that as their problem; a known one is not said twice."""
    known = {gpu.name for gpu in now} | {gpu.accelerator for gpu in now if gpu.accelerator is not None}
    gone = (gpu for gpu in before if gpu.name not in known and gpu.accelerator not in known)
    return (*now, *(replace(gpu, free_bytes=0, trial=DeviceTrial(problem=_GONE)) for gpu in gone))


def _left(gpu: EngineDevice, others: Sequence[_Held]) -> EngineDevice:
    held_bytes = sum(held.memory_bytes for held in others if held.device == gpu.name)
    return replace(gpu, free_bytes=max(0, gpu.free_bytes - held_bytes)) if held_bytes else gpu

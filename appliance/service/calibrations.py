"""The threads that were measured for each model on this machine: which to try, and the files that keep the outcome."""

import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from appliance.core.events import ModelCalibrated, SystemEvent
from appliance.core.hardware import Processor
from appliance.core.plan import Calibration, LoadPlan

from .small_files import SmallFiles

_VERSION = 1

_log = logging.getLogger(__name__)


def candidate_threads(processor: Processor) -> tuple[int, ...]:
    """Return the numbers of threads worth trying, at most six, first the one that is right without a trial.

    Generating waits for memory, which a part of the cores can use up. Logical processors, and the slow cores of a
    hybrid processor, help some models; they are tried where no quota or affinity keeps the process off them.
    """
    usable = processor.usable_cores
    numbers = [usable, max(1, usable * 3 // 4), max(1, usable // 2), max(1, usable // 4)]
    if processor.quota_cores is None and usable in (processor.performance_cores, processor.physical_cores):
        numbers += [processor.physical_cores or usable, processor.logical_cores]
    return tuple(dict.fromkeys(numbers))


class Calibrations:
    """One small file for each model, backend, version of its library and kind of processor. The daemon's alone."""

    def __init__(self, folder: Path, processor: Processor, versions: Mapping[str, str | None]) -> None:
        """`versions` are those of the backends' libraries."""
        self._files = SmallFiles(folder, "calibration", _VERSION, Calibration, "the threads are measured again")
        self._processor = processor
        self._versions = versions
        self._candidates = candidate_threads(processor)
        self._planned: dict[str, LoadPlan] = {}

    def apply(self, plan: LoadPlan) -> LoadPlan:
        """Return the plan with the threads that were measured for it, or with those that are to be tried."""
        self._planned[plan.model] = plan
        known = self._files.read(self._fields(plan))
        if known is None:
            return msgspec.structs.replace(plan, thread_candidates=self._candidates)
        return msgspec.structs.replace(
            plan,
            threads_decode=known.threads_decode,
            threads_prefill=known.threads_prefill,
            reasons=(*plan.reasons, _reason(known)),
        )

    def observe(self, event: SystemEvent) -> None:
        """Keep what a worker measured with a plan from here."""
        if isinstance(event, ModelCalibrated) and event.model in self._planned:
            self.keep(self._planned[event.model], event.calibration)

    def keep(self, plan: LoadPlan, calibration: Calibration) -> None:
        """Keep what was measured with a plan. Without room on the disk it is measured again another time."""
        try:
            self._files.write(self._fields(plan), calibration)
        except OSError as error:
            _log.warning("the measured threads of %s cannot be kept: %s", plan.model, error)

    def _fields(self, plan: LoadPlan) -> dict[str, str | int | None]:
        return {
            "digest": plan.artefact.digest,
            "backend": plan.backend,
            "backend_version": self._versions.get(plan.backend),
            "architecture": self._processor.architecture,
            "processor": self._processor.model,
            "governor": self._processor.governor,
            "logical_cores": self._processor.logical_cores,
            "usable_cores": self._processor.usable_cores,
        }


def _reason(known: Calibration) -> str:
    return (
        f"measured here: {known.threads_decode} threads generate fastest, {known.threads_prefill} read prompts fastest"
    )

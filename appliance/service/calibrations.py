"""The threads that were measured for each model on this machine: which to try, and the files that keep the outcome."""

import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from appliance.core.events import ModelCalibrated, SystemEvent
from appliance.core.fingerprint import fingerprint
from appliance.core.hardware import Processor
from appliance.core.plan import Calibration, LoadPlan
from models.files import replace_atomically

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
        """`versions` are those of the backends' libraries; `folder` is made when there is something to keep."""
        self._folder = folder
        self._processor = processor
        self._versions = versions
        self._candidates = candidate_threads(processor)
        self._paths: dict[str, Path] = {}

    def apply(self, plan: LoadPlan) -> LoadPlan:
        """Return the plan with the threads that were measured for it, or with those that are to be tried."""
        path = self._paths[plan.model] = self._path(plan)
        known = self._read(path)
        if known is None:
            return msgspec.structs.replace(plan, thread_candidates=self._candidates)
        return msgspec.structs.replace(
            plan,
            threads_decode=known.threads_decode,
            threads_prefill=known.threads_prefill,
            reasons=(*plan.reasons, _reason(known)),
        )

    def observe(self, event: SystemEvent) -> None:
        """Keep what was measured with a plan from here. Without room on the disk it is measured again another time."""
        if not isinstance(event, ModelCalibrated) or event.model not in self._paths:
            return
        path = self._paths[event.model]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with replace_atomically(path) as stream:
                stream.write(msgspec.json.encode(event.calibration))
        except OSError as error:
            _log.warning("the measured threads of %s cannot be kept: %s", event.model, error)

    def _path(self, plan: LoadPlan) -> Path:
        fields = {
            "digest": plan.artefact.digest,
            "backend": plan.backend,
            "backend_version": self._versions.get(plan.backend),
            "architecture": self._processor.architecture,
            "processor": self._processor.model,
            "governor": self._processor.governor,
            "logical_cores": self._processor.logical_cores,
            "usable_cores": self._processor.usable_cores,
        }
        return self._folder / f"{fingerprint('calibration', _VERSION, fields)}.json"

    def _read(self, path: Path) -> Calibration | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=Calibration)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("%s cannot be read, so the threads are measured again: %s", path, error)
            return None


def _reason(known: Calibration) -> str:
    return (
        f"measured here: {known.threads_decode} threads generate fastest, {known.threads_prefill} read prompts fastest"
    )

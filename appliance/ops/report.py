"""The status of the daemon and of the machine it runs on, as operators see it."""

import platform
import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

import appliance
from appliance.core.admin import LoadedModelStatus, MachineStatus, Status, Versions
from appliance.core.history import History
from appliance.hardware.probe import cpu_busy_ratio
from appliance.scheduler.loop import SchedulerLoop

from .gpus import Gpus
from .history import HistoryLog
from .meter import Vitals
from .ready import Readiness
from .requests import RequestLog


class StatusReport:
    """Makes a `Status` when asked. `memory` returns the bytes that are available now."""

    def __init__(
        self,
        *,
        scheduler: SchedulerLoop,
        readiness: Readiness,
        memory: Callable[[], int],
        memory_total_bytes: int,
        backend_versions: Callable[[], dict[str, str | None]],
        url: str,
        home: Path,
        default_model: str,
        requests: RequestLog,
        gpus: Gpus,
        history: HistoryLog,
    ) -> None:
        self._scheduler = scheduler
        self._readiness = readiness
        self._memory = memory
        self._memory_total_bytes = memory_total_bytes
        self._backend_versions = backend_versions
        self._url, self._home, self._default_model = url, home, default_model
        self._requests, self._gpus, self._history = requests, gpus, history
        self._started_s = time.monotonic()
        cpu_busy_ratio()  # the first reading has nothing to compare with

    def history(self) -> History:
        """Return what happened in the last minutes."""
        self._gpus.look()
        return self._history.history()

    def num_waiting(self) -> int:
        """Return how many requests wait for their turn."""
        return sum(model.num_waiting for model in self._scheduler.status())

    def status(self, vitals: Vitals) -> Status:
        """Return the status now. Processor load is the mean since the last call."""
        models = tuple(map(self._with_recent, self._scheduler.status()))
        reason = self._readiness.reason
        return Status(
            state="draining" if self._readiness.is_draining else "serving",
            is_ready=reason is None,
            not_ready_reason=reason,
            url=self._url,
            home=str(self._home),
            uptime_s=time.monotonic() - self._started_s,
            default_model=self._default_model,
            num_running=sum(model.num_running for model in models),
            num_waiting=sum(model.num_waiting for model in models),
            models=models,
            machine=MachineStatus(
                cpu_busy_ratio=cpu_busy_ratio(),
                memory_total_bytes=self._memory_total_bytes,
                memory_available_bytes=self._memory(),
                temperature_celsius=vitals.celsius,
                power_watts=vitals.watts,
                easing=self._scheduler.easing,
                gpus=self._gpus.look(),
            ),
            versions=Versions(
                appliance=appliance.__version__,
                python=platform.python_version(),
                backends=self._backend_versions(),
            ),
        )

    def _with_recent(self, model: LoadedModelStatus) -> LoadedModelStatus:
        recent = self._requests.recent_of(model.name)
        return replace(model, ttft_s=recent.median_ttft_s, cached_ratio=recent.cached_ratio)

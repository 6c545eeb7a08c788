"""What every part of the daemon stands on: the machine, the models, those who watch, and the scheduler."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from appliance.backends.kernels import kernels_in_use, with_kernels
from appliance.backends.registry import WORKSHOPS, descriptors, versions
from appliance.caches.kv_disk import KvDisk
from appliance.caches.kv_sweep import KvSweeper
from appliance.core.events import SystemEvent
from appliance.core.hardware import HardwareSnapshot
from appliance.database import DATABASE_FILE
from appliance.hardware.accelerators.driver_state import asleep_s, driver_state
from appliance.hardware.memory import memory_available_bytes
from appliance.hardware.probe import probe
from appliance.jobs.batches.batches import Batches
from appliance.jobs.notify.notifications import Notifications
from appliance.jobs.notify.outbox import Outbox
from appliance.jobs.notify.places import AllowList
from appliance.jobs.notify.sending import Sender
from appliance.jobs.notify.targets import standing_target
from appliance.jobs.traffic import Traffic
from appliance.link.process import WorkerProcess
from appliance.ops.fallbacks import FallbackLog
from appliance.ops.feed import Feed
from appliance.ops.history import HistoryLog
from appliance.ops.metrics import Metrics
from appliance.ops.ready import Readiness
from appliance.ops.requests import RequestLog
from appliance.ops.shortages import ShortageLog
from appliance.scheduler.loop import SchedulerLoop
from appliance.service.calibrations import Calibrations
from appliance.service.devices import Devices
from appliance.service.files.files import MAX_FILE_BYTES, Files
from appliance.service.installed import Installed
from appliance.service.measurements import Measurements
from appliance.service.planner import Planner
from appliance.service.tunings import Tunings
from appliance.settings import Settings
from models.store.store import ModelStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchers:
    """Those who are told all that happens, and are asked about it."""

    metrics: Metrics
    requests: RequestLog
    readiness: Readiness
    feed: Feed
    history: HistoryLog
    batches: Batches
    traffic: Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured on this machine: threads and speeds of models, and tiles of our kernels."""

    calibrations: Calibrations
    measurements: Measurements
    tunings: Tunings


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Values and owners that most parts need. `environ` is the child processes'."""

    settings: Settings
    home: Path
    environ: Mapping[str, str]
    snapshot: HardwareSnapshot
    store: ModelStore
    measured: Measured
    planner: Planner
    installed: Installed
    kv_disk: KvDisk
    sweeper: KvSweeper
    files: Files
    notifications: Notifications
    watchers: Watchers
    publish: Callable[[SystemEvent], None]
    scheduler: SchedulerLoop


def lay(settings: Settings, home: Path, environ: Mapping[str, str]) -> Ground:
    """Return the ground; nothing runs yet."""
    snapshot = probe()
    store = ModelStore(home, WORKSHOPS, settings.models.allowed_licences)
    kv_disk = KvDisk(home, settings.kv, snapshot.disks)
    measured = _measured(home / "calibration", snapshot)
    devices = Devices(home / "calibration", lambda: descriptors(probe()), driver_state, asleep_s)
    planner = Planner(
        store,
        snapshot,
        descriptors(snapshot),
        settings,
        memory_available_bytes,
        kv_disk,
        measured.calibrations,
        measured.measurements.find,
        devices,
    )
    sweeper = KvSweeper(kv_disk.root, kv_disk.budget_bytes, planner.fingerprints)
    installed = Installed(store, planner.plan, settings.models.default_model, planner.place)
    files = Files(home, MAX_FILE_BYTES)
    notifications = _notifications(home, settings)
    watchers = _watchers(home, installed, files, notifications)
    records = ShortageLog(home), FallbackLog(home)
    publish = _told_to(watchers, *records, planner, sweeper, measured.calibrations, devices)
    return Ground(
        settings=settings,
        home=home,
        environ=environ,
        snapshot=snapshot,
        store=store,
        measured=measured,
        planner=planner,
        installed=installed,
        kv_disk=kv_disk,
        sweeper=sweeper,
        files=files,
        notifications=notifications,
        watchers=watchers,
        publish=publish,
        scheduler=_scheduler(installed, settings, snapshot.memory.total_bytes, publish, environ),
    )


def is_busy(scheduler: SchedulerLoop) -> bool:
    """Return whether anybody waits for an answer, or a model is loaded."""
    rows = scheduler.status()
    return any(row.num_running or row.num_waiting or row.state == "loading" for row in rows)


def _measured(folder: Path, snapshot: HardwareSnapshot) -> Measured:
    libraries, tunings = versions(), Tunings(folder, snapshot.processor, partial(kernels_in_use, snapshot))
    return Measured(
        calibrations=Calibrations(folder, snapshot.processor, libraries),
        measurements=Measurements(folder, snapshot, lambda: with_kernels(libraries, snapshot, tunings.tiles())),
        tunings=tunings,
    )


def _notifications(home: Path, settings: Settings) -> Notifications:
    sender = Sender(settings.notify, AllowList(settings.notify.allowed_addresses))
    standing = map(standing_target, settings.notify.targets)
    return Notifications(partial(Outbox, home / DATABASE_FILE), sender, standing, settings.tasks.keep_s)


def _watchers(home: Path, installed: Installed, files: Files, notifications: Notifications) -> Watchers:
    return Watchers(
        metrics=Metrics(),
        requests=RequestLog(),
        readiness=Readiness(installed.default_model),
        feed=Feed(),
        history=HistoryLog(),
        batches=Batches(home, files, notifications),
        traffic=Traffic(),
    )


class _Observer(Protocol):
    def observe(self, event: SystemEvent) -> None: ...


def _told_to(watchers: Watchers, *others: _Observer) -> Callable[[SystemEvent], None]:
    told = watchers.metrics, watchers.requests, watchers.feed, watchers.history, watchers.readiness
    observers: tuple[_Observer, ...] = (*told, watchers.batches, watchers.traffic, *others)
    return partial(_tell, tuple(observer.observe for observer in observers))


def _tell(observers: Iterable[Callable[[SystemEvent], None]], event: SystemEvent) -> None:
    for observe in observers:
        observe(event)


def _scheduler(
    installed: Installed,
    settings: Settings,
    memory_total_bytes: int,
    publish: Callable[[SystemEvent], None],
    environ: Mapping[str, str],
) -> SchedulerLoop:
    return SchedulerLoop(
        installed.plan,
        settings.scheduler,
        memory=memory_available_bytes,
        memory_total_bytes=memory_total_bytes,
        publish=publish,
        spawn=partial(WorkerProcess.spawn, environ=environ),
    )

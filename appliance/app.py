"""The daemon as a whole: the only file that knows every layer. Puts the parts together, runs them, takes them down."""

import asyncio
import gc
import logging
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvloop

import appliance
from appliance.api.app import Parts, build_api
from appliance.api.server import HttpServer, bind, is_loopback, url_of
from appliance.api.sse import StreamTiming
from appliance.backends.jobs import KINDS
from appliance.backends.kernels import kernels_in_use
from appliance.backends.registry import WORKSHOPS, descriptors, versions
from appliance.caches.kv_disk import KvDisk
from appliance.caches.kv_sweep import KvSweeper
from appliance.core.caller import LOCAL
from appliance.core.events import SystemEvent
from appliance.core.hardware import HardwareSnapshot
from appliance.database import DATABASE_FILE
from appliance.errors import ApplianceError, Forbidden
from appliance.hardware.memory import memory_available_bytes
from appliance.hardware.probe import probe
from appliance.jobs.jobs import Jobs, JobSources
from appliance.link.process import BASE_ENVIRON, WorkerProcess
from appliance.ops.doctor.doctor import Doctor
from appliance.ops.feed import Feed
from appliance.ops.keys import KeyStore
from appliance.ops.lifecycle import ServiceManager, lock_home, watch_signals
from appliance.ops.logs import set_up_logging
from appliance.ops.machine import Machine
from appliance.ops.metrics import Metrics
from appliance.ops.ready import Readiness
from appliance.ops.report import StatusReport
from appliance.ops.requests import RequestLog
from appliance.ops.runfiles import run_files
from appliance.ops.shortages import ShortageLog
from appliance.ops.warmup import warm_up
from appliance.scheduler.loop import SchedulerLoop
from appliance.service.adoption import Adoption
from appliance.service.calibrations import Calibrations
from appliance.service.care import ModelCare
from appliance.service.copies import ModelCopies
from appliance.service.generate import Generation
from appliance.service.installed import Installed
from appliance.service.kernels import KernelCare
from appliance.service.planner import Planner
from appliance.service.responses.conversations import Conversations
from appliance.service.responses.responses import Responses
from appliance.service.responses.room import Room
from appliance.service.responses.storage import ResponseStorage
from appliance.service.tunings import Tunings
from appliance.service.vocabulary import Vocabularies, vocabulary_process
from appliance.settings import LoadedSettings, Settings
from models.store import ModelStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appliance:
    """Everything that a running daemon is made of, below its HTTP server."""

    settings: Settings
    parts: Parts
    scheduler: SchedulerLoop


def serve(loaded: LoadedSettings, home: Path, environ: Mapping[str, str]) -> int:
    """Run the daemon until a signal ends it and return the exit code. Raises: ApplianceError, when it cannot start.

    Of `environ`, what systemd says about itself is read; the rest, but for our own variables, is the workers'.
    """
    settings = loaded.settings
    set_up_logging(settings.log.level)
    with ExitStack() as open_things:
        open_things.enter_context(lock_home(home))
        keys = KeyStore(home / "keys")
        if not is_loopback(settings.server.host) and keys.is_empty():
            raise Forbidden(
                f"{settings.server.host} can be reached by other machines, and no key protects this one; "
                "make a key first: appliance keys create NAME"
            )
        listeners = [open_things.enter_context(bind(settings.server.host, settings.server.port))]
        if settings.server.ollama_port is not None:
            second = bind(settings.server.host, settings.server.ollama_port, is_ollamas=True)
            listeners.append(open_things.enter_context(second))
        local_secret = secrets.token_urlsafe(32)
        open_things.enter_context(run_files(home, url_of(listeners[0]), local_secret))
        manager = ServiceManager(environ.get("NOTIFY_SOCKET"), environ.get("WATCHDOG_USEC"))
        uvloop.run(_run(settings, home, listeners, keys, local_secret, manager, worker_environ(environ)))
    return 0


def worker_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what workers and jobs may see: paths and threads as the operator set them, but no keys and no systemd."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("APPLIANCE_") and name not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
    }


def build(
    settings: Settings, home: Path, url: str, keys: KeyStore, environ: Mapping[str, str] = BASE_ENVIRON
) -> Appliance:
    """Return the parts, connected; nothing runs yet. Needs the running loop. `environ` is the child processes'."""
    snapshot = probe()
    store = ModelStore(home, WORKSHOPS)
    kv_disk = KvDisk(home, settings.kv, snapshot.disks)
    calibrations = Calibrations(home / "calibration", snapshot.processor, versions())
    planner = Planner(store, snapshot, descriptors(snapshot), settings, memory_available_bytes, kv_disk, calibrations)
    sweeper = KvSweeper(kv_disk.root, kv_disk.budget_bytes, planner.fingerprints)
    installed = Installed(store, planner.plan, settings.models.default_model)
    metrics, requests, readiness, feed = Metrics(), RequestLog(), Readiness(installed.default_model), Feed()
    observers = (metrics, requests, feed, ShortageLog(home), readiness, planner, sweeper, calibrations)
    publish = partial(_tell, tuple(observer.observe for observer in observers))
    scheduler = _scheduler(installed, settings, snapshot.memory.total_bytes, publish, environ)
    kernels = _kernels(home, snapshot, installed, scheduler)
    adoption = Adoption(snapshot, is_on=settings.engine.kernels == "auto", adopt=kernels.adopt)
    care = ModelCare(store, installed, scheduler, adoption)
    generation = Generation(scheduler, installed.preset)
    vocabularies = Vocabularies(installed, scheduler, vocabulary_process(environ))
    kept = ResponseStorage(home / DATABASE_FILE, settings.responses)
    parts = Parts(
        server=settings.server,
        installed=installed,
        generation=generation,
        responses=Responses(kept, generation, Room(care, vocabularies).fits),
        conversations=Conversations(kept),
        vocabularies=vocabularies,
        care=care,
        copies=ModelCopies(store, installed, care),
        kernels=kernels,
        keys=keys,
        metrics=metrics,
        requests=requests,
        feed=feed,
        readiness=readiness,
        report=_report(scheduler, readiness, snapshot.memory.total_bytes, url, home, installed.default_model),
        machine=Machine(snapshot),
        doctor=Doctor(home, settings, readiness),
        jobs=Jobs(home, settings.jobs, _job_sources(care, kernels, environ), publish),
        timing=StreamTiming(),
    )
    store.clean()
    sweeper.sweep_soon()
    return Appliance(settings=settings, parts=parts, scheduler=scheduler)


def _kernels(home: Path, snapshot: HardwareSnapshot, installed: Installed, scheduler: SchedulerLoop) -> KernelCare:
    tunings = Tunings(home / "calibration", snapshot.processor, partial(kernels_in_use, snapshot))
    return KernelCare(installed, snapshot, tunings, partial(_is_busy, scheduler))


def _is_busy(scheduler: SchedulerLoop) -> bool:
    return any(status.num_running or status.num_waiting for status in scheduler.status())


def _job_sources(care: ModelCare, kernels: KernelCare, environ: Mapping[str, str]) -> JobSources:
    finishers = {"convert": care.keep_made, "quantize": care.keep_made, "calibrate": kernels.keep_tuned}
    return JobSources(kinds=KINDS, finishers=finishers, environ=environ)


def _report(
    scheduler: SchedulerLoop,
    readiness: Readiness,
    memory_total_bytes: int,
    url: str,
    home: Path,
    default_model: str,
) -> StatusReport:
    return StatusReport(
        scheduler=scheduler,
        readiness=readiness,
        memory=memory_available_bytes,
        memory_total_bytes=memory_total_bytes,
        backend_versions=versions,
        url=url,
        home=home,
        default_model=default_model,
    )


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


def _tell(observers: Iterable[Callable[[SystemEvent], None]], event: SystemEvent) -> None:
    for observe in observers:
        observe(event)


async def _run(
    settings: Settings,
    home: Path,
    listeners: Sequence[socket.socket],
    keys: KeyStore,
    local_secret: str,
    manager: ServiceManager,
    environ: Mapping[str, str],
) -> None:
    url = url_of(listeners[0])
    daemon = build(settings, home, url, keys, environ)
    logging.getLogger().addHandler(daemon.parts.feed)
    api = build_api(daemon.parts, local_secret=local_secret, machine_name=socket.gethostname())
    server = HttpServer(api, settings.server.read_timeout_s)
    stop, stop_now = asyncio.Event(), asyncio.Event()
    watch_signals(stop.set, stop_now.set)
    await daemon.parts.jobs.start()
    await daemon.parts.responses.start()
    serving = asyncio.create_task(server.serve(sockets=[*listeners]))
    helpers: list[asyncio.Task[None]] = []
    try:
        await daemon.scheduler.start([daemon.parts.installed.resolve(name) for name in settings.models.pinned])
        await server.listening.wait()
        work = [_warm_up(daemon), manager.keep_watchdog()]
        if settings.engine.kernels == "auto":
            work.append(_renew_kernels(daemon.parts))
        helpers = [asyncio.create_task(each) for each in work]
        gc.collect()
        gc.freeze()  # what is there now stays: no later collection stops the streams to look at it
        manager.tell("READY=1")
        urls = " and ".join(map(url_of, listeners))
        logger.info("appliance %s listens on %s, its state is in %s", appliance.__version__, urls, home)
        await stop.wait()
        manager.tell("STOPPING=1")
        logger.info("stopping: answers under way have %.0f s to finish", settings.server.drain_timeout_s)
        await _drain(daemon, stop_now)
    finally:
        for helper in helpers:
            helper.cancel()
        logging.getLogger().removeHandler(daemon.parts.feed)
        daemon.parts.feed.close()
        await daemon.parts.jobs.close()
        await daemon.parts.vocabularies.close()
        await daemon.scheduler.close()
        await daemon.parts.responses.close()
        server.force_exit = stop_now.is_set()
        server.stop()
        await serving
    logger.info("stopped")


async def _warm_up(daemon: Appliance) -> None:
    parts = daemon.parts
    model = parts.installed.default_model
    await warm_up(parts.generation, model, parts.installed.task(model), parts.readiness)


async def _renew_kernels(parts: Parts) -> None:
    """Compile anew, in the background, what another version of our kernels was compiled for."""
    try:
        for model in await asyncio.to_thread(parts.kernels.outdated):
            await parts.jobs.submit("compile", await asyncio.to_thread(parts.kernels.compile_order, model), LOCAL.id)
    except (ApplianceError, OSError) as problem:
        logger.warning("models that were compiled before run as their files are: %s", problem)


async def _drain(daemon: Appliance, stop_now: asyncio.Event) -> None:
    """Let what runs finish, but not past a second signal."""
    daemon.parts.readiness.drain()
    draining = asyncio.create_task(daemon.scheduler.drain(daemon.settings.server.drain_timeout_s))
    hurrying = asyncio.create_task(stop_now.wait())
    await asyncio.wait({draining, hurrying}, return_when=asyncio.FIRST_COMPLETED)
    hurrying.cancel()
    draining.cancel()

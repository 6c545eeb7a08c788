"""The daemon from its start to its end: what has to be there first, what runs, and in which order it is taken down."""

import asyncio
import gc
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path

import uvloop

import appliance
from appliance.api.app import Parts, build_api
from appliance.api.server import HttpServer, bind, is_loopback, url_of
from appliance.core.caller import LOCAL
from appliance.errors import ApplianceError, Forbidden
from appliance.ops.keys import KeyStore
from appliance.ops.lifecycle import ServiceManager, lock_home, watch_signals
from appliance.ops.logs import set_up_logging
from appliance.ops.runfiles import run_files
from appliance.ops.warmup import warm_up
from appliance.settings import LoadedSettings

from .build import Appliance, build

logger = logging.getLogger(__name__)


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
        uvloop.run(_run(loaded, home, listeners, keys, local_secret, manager, worker_environ(environ)))
    return 0


def worker_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what workers and jobs may see: paths and threads as the operator set them, but no keys and no systemd."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("APPLIANCE_") and name not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
    }


async def _run(
    loaded: LoadedSettings,
    home: Path,
    listeners: Sequence[socket.socket],
    keys: KeyStore,
    local_secret: str,
    manager: ServiceManager,
    environ: Mapping[str, str],
) -> None:
    daemon = build(loaded, home, url_of(listeners[0]), keys, environ)
    api = build_api(daemon.parts, local_secret=local_secret, machine_name=socket.gethostname())
    server = HttpServer(api, loaded.settings.server.read_timeout_s)
    stop, stop_now = daemon.parts.drain_switch.is_flipped, asyncio.Event()
    watch_signals(stop.set, stop_now.set)
    serving: asyncio.Task[None] | None = None
    try:
        async with _open(daemon):
            serving = asyncio.create_task(server.serve(sockets=[*listeners]))
            await _serve_until(stop, stop_now, daemon, server, manager, " and ".join(map(url_of, listeners)))
    finally:
        if serving is not None:
            server.force_exit = stop_now.is_set()
            server.stop()
            await serving
    logger.info("stopped")


@asynccontextmanager
async def _open(daemon: Appliance) -> AsyncIterator[None]:
    """Open what keeps its state on the disk, each after what it needs, and close it in the opposite order."""
    parts, log = daemon.parts, logging.getLogger()
    log.addHandler(parts.feed)
    async with AsyncExitStack() as open_parts:
        open_parts.callback(log.removeHandler, parts.feed)
        open_parts.push_async_callback(parts.answers.close)
        open_parts.push_async_callback(daemon.ground.scheduler.close)
        open_parts.push_async_callback(parts.vocabularies.close)
        open_parts.push_async_callback(parts.responses.close)
        open_parts.push_async_callback(parts.feedback.close)
        await parts.feedback.open()
        open_parts.push_async_callback(parts.notifications.close)
        await parts.notifications.start()
        open_parts.push_async_callback(parts.files.close)
        await parts.files.start()
        open_parts.push_async_callback(parts.tasks.close)
        open_parts.push_async_callback(parts.batches.close)
        await parts.batches.open()
        open_parts.push_async_callback(parts.jobs.close)
        open_parts.callback(parts.feed.close)
        await parts.jobs.start()
        await parts.batches.start(parts.jobs)
        # Before the tasks: they are tried again when the queue is full, and these are not
        await parts.responses.start()
        await parts.tasks.start()
        yield


async def _serve_until(
    stop: asyncio.Event,
    stop_now: asyncio.Event,
    daemon: Appliance,
    server: HttpServer,
    manager: ServiceManager,
    urls: str,
) -> None:
    """Do the daemon's own work beside its answers until a signal comes, and let the answers under way finish."""
    settings, helpers = daemon.ground.settings, list[asyncio.Task[None]]()
    try:
        await daemon.ground.scheduler.start([daemon.parts.installed.resolve(name) for name in settings.models.pinned])
        await server.listening.wait()
        watches = daemon.warden.keep_watch(), daemon.parts.calibrating.keep_watch(), daemon.historian.keep_watch()
        work = [_warm_up(daemon), manager.keep_watchdog(), *watches]
        if settings.engine.kernels == "auto":
            work.append(_renew_kernels(daemon.parts))
        helpers = [asyncio.create_task(each) for each in work]
        gc.collect()
        gc.freeze()  # what is there now stays: no later collection stops the streams to look at it
        manager.tell("READY=1")
        logger.info("appliance %s listens on %s, its state is in %s", appliance.__version__, urls, daemon.ground.home)
        await stop.wait()
        manager.tell("STOPPING=1")
        logger.info("stopping: answers under way have %.0f s to finish", settings.server.drain_timeout_s)
        await _drain(daemon, stop_now)
    finally:
        for helper in helpers:
            helper.cancel()


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
    draining = asyncio.create_task(daemon.ground.scheduler.drain(daemon.ground.settings.server.drain_timeout_s))
    hurrying = asyncio.create_task(stop_now.wait())
    await asyncio.wait({draining, hurrying}, return_when=asyncio.FIRST_COMPLETED)
    hurrying.cancel()
    draining.cancel()

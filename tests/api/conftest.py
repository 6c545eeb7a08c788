"""The whole API over a fake scheduler, served by the real server on a free port."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from anthropic import Anthropic
from litestar.types import ASGIApp
from openai import OpenAI

from appliance.api.app import Parts, build_routes, guarded
from appliance.api.server import HttpServer, bind, url_of
from appliance.api.sse import StreamTiming
from appliance.backends.asked import MachineNow
from appliance.caches.responses import ResponseFolder
from appliance.core.easing import FULL
from appliance.core.hardware import Bandwidth, HardwareSnapshot
from appliance.database import DATABASE_FILE
from appliance.hardware.probe import probe
from appliance.jobs.batches.batches import Batches
from appliance.jobs.calibrating import Calibrating
from appliance.jobs.idle import Conditions, IdleGate
from appliance.jobs.jobs import Jobs, JobSources
from appliance.jobs.notify.notifications import Notifications
from appliance.jobs.notify.outbox import Outbox
from appliance.jobs.notify.places import AllowList
from appliance.jobs.notify.sending import Sender
from appliance.jobs.notify.targets import standing_target
from appliance.jobs.tasks.table import TaskTable
from appliance.jobs.tasks.tasks import Tasks
from appliance.jobs.traffic import Traffic
from appliance.ops.doctor.doctor import Doctor
from appliance.ops.feed import Feed
from appliance.ops.gpus import Gpus
from appliance.ops.history import HistoryLog
from appliance.ops.keys import KeyStore
from appliance.ops.lifecycle import DrainSwitch
from appliance.ops.machine import Machine
from appliance.ops.metrics import Metrics
from appliance.ops.ready import Readiness
from appliance.ops.report import StatusReport
from appliance.ops.requests import RequestLog
from appliance.ops.tiers import CacheTiers
from appliance.service.adapter_care import AdapterCare
from appliance.service.answers.cache import ResponseCache
from appliance.service.benchmarks import Benchmarks
from appliance.service.calibrations import Calibrations
from appliance.service.care import ModelCare
from appliance.service.catalogue import CatalogueService
from appliance.service.copies import ModelCopies
from appliance.service.explain import Explainer
from appliance.service.feedback import FeedbackBook
from appliance.service.files.files import MAX_FILE_BYTES, Files
from appliance.service.generate import Generation
from appliance.service.installed import Installed
from appliance.service.kernels import KernelCare
from appliance.service.measurements import Measurements
from appliance.service.normalizing import Normalizing
from appliance.service.planner import Planner
from appliance.service.responses.conversations import Conversations
from appliance.service.responses.responses import Responses
from appliance.service.responses.room import Room
from appliance.service.responses.storage import ResponseStorage
from appliance.service.store_care import StoreCare
from appliance.service.tunings import Tunings
from appliance.service.vocabulary import Vocabularies, vocabulary_process
from appliance.settings import (
    CacheSettings,
    JobsSettings,
    NormalizersSettings,
    NotifySettings,
    ResponsesSettings,
    ServerSettings,
    Settings,
    SettingsBook,
    load,
)
from models.catalogue.imported import ImportedCatalogues
from models.store.store import ModelStore
from tests.api.claude import client
from tests.catalogues import GGUF, catalogue_key
from tests.fakes import FakeScheduler, load_plan, machine
from tests.job_child import ENVIRONMENT, KINDS
from tests.unit.hardware.machines import tree_of

T = TypeVar("T")
PATIENT = StreamTiming(headers_after_s=60, comment_every_s=60)
LOCAL_SECRET = "sk-of-this-machine"
NO_CACHE = CacheSettings(mode="off")
NO_NOTIFY = NotifySettings()
NORMALIZERS = NormalizersSettings()
NO_TLS: dict[str, Any] = {"verify": False, "trust_env": False}
"""For clients of an address without it: to read all certificates takes longer than most tests."""
SERVER = ServerSettings(max_body_bytes=100_000, allowed_hosts=("box.example",), allowed_origins=("https://ui.example",))


@dataclass
class Daemon:
    """A served API and what stands behind it. `do` runs a function on the server's thread."""

    home: Path
    scheduler: FakeScheduler
    parts: Parts
    history: HistoryLog
    url: str = ""
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def do(self, action: Callable[[], T]) -> T:
        async def act() -> T:
            return action()

        return asyncio.run_coroutine_threadsafe(act(), self.loop).result(10)

    def next_submitted(self) -> str:
        """Wait until a request reaches the scheduler and return its id."""
        return asyncio.run_coroutine_threadsafe(self.scheduler.submitted.get(), self.loop).result(10)

    def next_cancelled(self) -> str:
        """Wait until a request is cancelled and return its id."""
        return asyncio.run_coroutine_threadsafe(self.scheduler.cancelled.get(), self.loop).result(10)


@cache
def pi_5_hardware() -> HardwareSnapshot:
    return probe(tree_of("raspberry-pi-5"))


def pi_5() -> Machine:
    """A machine whose every value is known."""
    root = tree_of("raspberry-pi-5")
    return Machine(
        pi_5_hardware(), root, measure=lambda num_threads: Bandwidth(read_bytes_per_s=9e9, num_threads=num_threads)
    )


def pi_5_now() -> MachineNow:
    """The same machine with six of its eight gigabytes free."""
    return MachineNow(pi_5_hardware(), (GGUF,), Settings(), 6 * 2**30)


def calibrating(home: Path, installed: Installed, explainer: Explainer, jobs: Jobs) -> Calibrating:
    """One that measures nothing by itself."""
    calibrations = Calibrations(home / "calibration", machine().processor, {})
    measurements = Measurements(home / "calibration", machine(), dict)
    benchmarks = Benchmarks(installed, explainer, measurements, calibrations, lambda event: None, lambda model: None)
    traffic = Traffic()
    conditions = Conditions(
        is_busy=lambda: False,
        easing=lambda: FULL,
        free_bytes=lambda: 2**40,
        needed_bytes=benchmarks.needed_bytes,
    )
    return Calibrating(jobs, traffic, IdleGate(traffic, conditions), benchmarks, installed, is_on=False)


def build(
    home: Path,
    timing: StreamTiming,
    server: ServerSettings = SERVER,
    scheduler: Any = None,
    cache: CacheSettings = NO_CACHE,
    notify: NotifySettings = NO_NOTIFY,
    normalizers: NormalizersSettings = NORMALIZERS,
) -> Daemon:
    scheduler = scheduler or FakeScheduler()
    store, readiness = ModelStore(home), Readiness("guide")
    installed = Installed(store, lambda model, manifest, variant: load_plan(model), "guide")
    planner = Planner(store, pi_5_hardware(), (GGUF,), Settings(), lambda: 6 * 2**30)
    care = ModelCare(store, installed, scheduler)
    requests, history, metrics = RequestLog(), HistoryLog(), Metrics()
    report = StatusReport(
        scheduler=scheduler,
        readiness=readiness,
        memory=lambda: 2**30,
        memory_total_bytes=2**31,
        backend_versions=lambda: {"echo": "1"},
        url="http://127.0.0.1:1",
        home=home,
        default_model="guide",
        requests=requests,
        gpus=Gpus(pi_5_hardware(), tuple),
        history=history,
    )
    answers = ResponseCache(
        lambda: ResponseFolder(home / "responses", 2**24),
        cache,
        installed.content,
        lambda event: None,
    )
    generation = Generation(scheduler, installed.preset, answers)
    vocabularies = Vocabularies(installed, scheduler, vocabulary_process(ENVIRONMENT))
    kept = ResponseStorage(home / DATABASE_FILE, ResponsesSettings())
    files = Files(home, MAX_FILE_BYTES)
    sender = Sender(notify, AllowList(notify.allowed_addresses))
    standing = map(standing_target, notify.targets)
    notifications = Notifications(lambda: Outbox(home / DATABASE_FILE), sender, standing, keep_s=3600.0)
    sources = JobSources(kinds=KINDS, environ=ENVIRONMENT, notifications=notifications)
    jobs = Jobs(home, JobsSettings(), sources, lambda event: None)
    explainer = Explainer(installed, planner.explain)
    parts = Parts(
        server=server,
        normalizing=Normalizing(normalizers, metrics.observe),
        book=SettingsBook(home / "appliance.toml", load(None, {}, {})),
        installed=installed,
        generation=generation,
        answers=answers,
        responses=Responses(kept, generation, Room(care, vocabularies).fits),
        conversations=Conversations(kept),
        vocabularies=vocabularies,
        care=care,
        copies=ModelCopies(store, installed, care),
        catalogue=CatalogueService(ImportedCatalogues(home, (catalogue_key(),)), installed, pi_5_now, planner.asked),
        explainer=explainer,
        store=StoreCare(store, installed, care, keep_versions=2),
        adapters=AdapterCare(store, installed),
        kernels=KernelCare(
            installed, machine(), Tunings(home / "calibration", machine().processor, lambda: None), lambda: False
        ),
        keys=KeyStore(home / "keys"),
        metrics=metrics,
        requests=requests,
        feed=Feed(),
        readiness=readiness,
        report=report,
        tiers=CacheTiers(scheduler.status, requests, home / "kv", 2**30),
        drain_switch=DrainSwitch(),
        machine=pi_5(),
        doctor=Doctor(home, Settings(server=server), readiness),
        jobs=jobs,
        calibrating=calibrating(home, installed, explainer, jobs),
        files=files,
        batches=Batches(home, files, notifications),
        tasks=Tasks(lambda: TaskTable(home / DATABASE_FILE), generation, notifications, keep_s=3600.0),
        notifications=notifications,
        feedback=FeedbackBook(home / DATABASE_FILE),
        timing=timing,
    )
    return Daemon(home=home, scheduler=scheduler, parts=parts, history=history)


@pytest.fixture
def timing() -> StreamTiming:
    """Long enough never to matter; a test of keep-alive overrides it."""
    return PATIENT


class LentRoutes:
    """Routes that lead to one daemon after another: to build them takes longer than most tests."""

    parts: Parts

    def __init__(self) -> None:
        self.app = build_routes(lambda: self.parts)


UNUSED_ROUTES: list[LentRoutes] = []


@contextmanager
def routes_to(parts: Parts) -> Iterator[ASGIApp]:
    lent = UNUSED_ROUTES.pop() if UNUSED_ROUTES else LentRoutes()
    lent.parts = parts
    yield lent.app
    UNUSED_ROUTES.append(lent)


@contextmanager
def served(
    home: Path,
    timing: StreamTiming,
    server: ServerSettings = SERVER,
    cache: CacheSettings = NO_CACHE,
    notify: NotifySettings = NO_NOTIFY,
    normalizers: NormalizersSettings = NORMALIZERS,
) -> Iterator[Daemon]:
    daemon = build(home, timing, server, cache=cache, notify=notify, normalizers=normalizers)
    listener = bind("127.0.0.1", 0)
    daemon.url = url_of(listener)
    servers: list[HttpServer] = []
    started = threading.Event()

    async def serve() -> None:
        api = guarded(routes, daemon.parts, local_secret=LOCAL_SECRET, machine_name="box.lan")
        http_server = HttpServer(api, server.read_timeout_s)
        servers.append(http_server)
        started.set()
        await daemon.parts.notifications.start()
        await daemon.parts.feedback.open()
        await daemon.parts.files.start()
        await daemon.parts.batches.open()
        await daemon.parts.jobs.start()
        await daemon.parts.batches.start(daemon.parts.jobs)
        await daemon.parts.tasks.start()
        await daemon.parts.responses.start()
        await http_server.serve(sockets=[listener])
        await daemon.parts.jobs.close()
        await daemon.parts.batches.close()
        await daemon.parts.tasks.close()
        await daemon.parts.files.close()
        await daemon.parts.notifications.close()
        await daemon.parts.feedback.close()
        await daemon.parts.responses.close()
        await daemon.parts.answers.close()
        await daemon.parts.vocabularies.close()

    thread = threading.Thread(target=daemon.loop.run_until_complete, args=(serve(),))
    with routes_to(daemon.parts) as routes:
        thread.start()
        assert started.wait(10)
        try:
            yield daemon
        finally:
            daemon.loop.call_soon_threadsafe(servers[0].stop)
            thread.join(10)
            daemon.loop.close()


@pytest.fixture
def daemon(tmp_path: Path, timing: StreamTiming) -> Iterator[Daemon]:
    with served(tmp_path, timing) as daemon:
        yield daemon


@pytest.fixture
def http(daemon: Daemon) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=daemon.url, timeout=10, **NO_TLS) as client:
        yield client


@pytest.fixture
def openai(daemon: Daemon) -> Iterator[OpenAI]:
    transport = httpx.Client(**NO_TLS)
    with OpenAI(
        base_url=f"{daemon.url}/v1", api_key="none", max_retries=0, timeout=10, http_client=transport
    ) as client:
        yield client


@pytest.fixture
def anthropic(daemon: Daemon) -> Iterator[Anthropic]:
    with client(daemon.url) as anthropic:
        yield anthropic

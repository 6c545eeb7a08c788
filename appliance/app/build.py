"""The composition root: puts the parts of the daemon together. Nothing runs yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from appliance.api.app import Parts
from appliance.api.sse import StreamTiming
from appliance.backends.jobs import KINDS
from appliance.backends.registry import versions
from appliance.caches.responses import ResponseFolder
from appliance.core.batches import BatchTuning
from appliance.database import DATABASE_FILE
from appliance.hardware.memory import memory_available_bytes
from appliance.jobs.batches.batches import KIND as BATCH
from appliance.jobs.calibrating import Calibrating
from appliance.jobs.idle import Conditions, IdleGate
from appliance.jobs.jobs import Jobs, JobSources
from appliance.jobs.tasks.table import TaskTable
from appliance.jobs.tasks.tasks import Tasks
from appliance.link.process import BASE_ENVIRON
from appliance.ops.doctor.doctor import Doctor
from appliance.ops.keys import KeyStore
from appliance.ops.machine import Machine
from appliance.ops.report import StatusReport
from appliance.ops.warden import Warden
from appliance.service.adapter_care import AdapterCare
from appliance.service.adoption import Adoption
from appliance.service.answers.cache import ResponseCache
from appliance.service.benchmarks import CALIBRATE, Benchmarks
from appliance.service.care import ModelCare
from appliance.service.catalogue import CatalogueService
from appliance.service.copies import ModelCopies
from appliance.service.embedding import Embedder
from appliance.service.explain import Explainer
from appliance.service.feedback import FeedbackBook
from appliance.service.generate import Generation
from appliance.service.kernels import KernelCare
from appliance.service.pull_order import PULL, pull_settings
from appliance.service.pulls import Pulls
from appliance.service.responses.conversations import Conversations
from appliance.service.responses.responses import Responses
from appliance.service.responses.room import Room
from appliance.service.responses.storage import ResponseStorage
from appliance.service.store_care import SCRUB, StoreCare
from appliance.service.vocabulary import Vocabularies, vocabulary_process
from appliance.settings import Settings
from models.catalogue.imported import ImportedCatalogues
from models.fetch.downloads import Downloads

from .ground import Ground, is_busy, lay


@dataclass(frozen=True, slots=True, kw_only=True)
class Appliance:
    """Everything that a running daemon is made of, below its HTTP server."""

    ground: Ground
    parts: Parts
    warden: Warden


@dataclass(frozen=True, slots=True, kw_only=True)
class _Care:
    """The owners of what is done with models beside answering."""

    models: ModelCare
    store: StoreCare
    kernels: KernelCare
    pulls: Pulls


def build(
    settings: Settings, home: Path, url: str, keys: KeyStore, environ: Mapping[str, str] = BASE_ENVIRON
) -> Appliance:
    """Return the parts, connected. Needs the running loop. `environ` is the child processes'."""
    ground = lay(settings, home, environ)
    care = _care(ground)
    ground.store.clean()
    ground.sweeper.sweep_soon()
    parts = _parts(ground, care, url, keys)
    warden = Warden(parts.machine.strain, ground.scheduler, settings.power)
    return Appliance(ground=ground, parts=parts, warden=warden)


def _parts(ground: Ground, care: _Care, url: str, keys: KeyStore) -> Parts:
    home, settings, installed, watchers = ground.home, ground.settings, ground.installed, ground.watchers
    machine = Machine(ground.snapshot)
    answers = _answers(ground)
    generation = Generation(ground.scheduler, installed.preset, answers)
    explainer = Explainer(installed, ground.planner.explain)
    jobs, calibrating = _jobs(ground, care, explainer)
    vocabularies = Vocabularies(installed, ground.scheduler, vocabulary_process(ground.environ))
    kept = ResponseStorage(home / DATABASE_FILE, settings.responses)
    return Parts(
        server=settings.server,
        installed=installed,
        generation=generation,
        answers=answers,
        responses=Responses(kept, generation, Room(care.models, vocabularies).fits),
        conversations=Conversations(kept),
        vocabularies=vocabularies,
        care=care.models,
        copies=ModelCopies(ground.store, installed, care.models),
        catalogue=_catalogue(ground, machine),
        explainer=explainer,
        store=care.store,
        adapters=AdapterCare(ground.store, installed),
        kernels=care.kernels,
        keys=keys,
        metrics=watchers.metrics,
        requests=watchers.requests,
        feed=watchers.feed,
        readiness=watchers.readiness,
        report=_report(ground, url),
        machine=machine,
        doctor=Doctor(home, settings, watchers.readiness),
        jobs=jobs,
        calibrating=calibrating,
        files=ground.files,
        batches=watchers.batches,
        tasks=Tasks(partial(TaskTable, home / DATABASE_FILE), generation, ground.notifications, settings.tasks.keep_s),
        notifications=ground.notifications,
        feedback=FeedbackBook(home / DATABASE_FILE),
        timing=StreamTiming(),
    )


def _care(ground: Ground) -> _Care:
    settings, snapshot = ground.settings, ground.snapshot
    kernels = KernelCare(ground.installed, snapshot, ground.measured.tunings, partial(is_busy, ground.scheduler))
    adoption = Adoption(snapshot, is_on=settings.engine.kernels == "auto", adopt=kernels.adopt)
    models = ModelCare(ground.store, ground.installed, ground.scheduler, adoption)
    return _Care(
        models=models,
        store=StoreCare(ground.store, ground.installed, models, settings.models.keep_versions),
        kernels=kernels,
        pulls=Pulls(ground.store, models, Downloads(ground.home / "downloads")),
    )


def _answers(ground: Ground) -> ResponseCache:
    settings = ground.settings.cache
    folder = partial(ResponseFolder, ground.home / "responses", settings.disk_bytes)
    embed = None
    if settings.semantic_model is not None:
        embed = Embedder(ground.scheduler, ground.installed, settings.semantic_model).embed
    return ResponseCache(folder, settings, ground.installed.content, ground.publish, embed=embed)


def _catalogue(ground: Ground, machine: Machine) -> CatalogueService:
    catalogues = ImportedCatalogues(ground.home, ground.settings.models.catalogue_keys)
    planner = ground.planner
    return CatalogueService(catalogues, ground.installed, lambda: planner.machine_now(machine.bandwidth), planner.asked)


def _jobs(ground: Ground, care: _Care, explainer: Explainer) -> tuple[Jobs, Calibrating]:
    """Return the jobs, and who orders those that measure models while nobody asks for anything."""
    settings, traffic = ground.settings, ground.watchers.traffic
    benchmarks = _benchmarks(ground, care, explainer)
    gate = IdleGate(traffic, _conditions(ground, benchmarks))
    jobs = Jobs(ground.home, settings.jobs, _job_sources(ground, care, benchmarks, gate), ground.publish)
    is_on = settings.engine.calibrate == "idle"
    return jobs, Calibrating(jobs, traffic, gate, benchmarks, ground.installed, is_on=is_on)


def _benchmarks(ground: Ground, care: _Care, explainer: Explainer) -> Benchmarks:
    measured = ground.measured
    return Benchmarks(
        ground.installed,
        explainer,
        measured.measurements,
        measured.calibrations,
        ground.publish,
        care.models.move,
    )


def _conditions(ground: Ground, benchmarks: Benchmarks) -> Conditions:
    reserve_bytes = int(ground.settings.scheduler.memory_reserve_ratio * ground.snapshot.memory.total_bytes)
    return Conditions(
        is_busy=partial(is_busy, ground.scheduler),
        easing=lambda: ground.scheduler.easing,
        free_bytes=lambda: memory_available_bytes() - reserve_bytes,
        needed_bytes=benchmarks.needed_bytes,
    )


def _job_sources(ground: Ground, care: _Care, benchmarks: Benchmarks, gate: IdleGate) -> JobSources:
    jobs = ground.settings.jobs
    finishers = {
        "convert": care.models.keep_made,
        "quantize": care.models.keep_made,
        "tune": care.kernels.keep_tuned,
        "compile": care.models.keep_compiled,
        CALIBRATE.name: benchmarks.keep,
        SCRUB.name: care.store.keep_scrubbed,
        PULL.name: care.pulls.keep,
        BATCH.name: ground.watchers.batches.finish,
    }
    told = {
        PULL.name: pull_settings(ground.settings, ground.snapshot.memory.total_bytes),
        BATCH.name: BatchTuning(max_at_once=jobs.batch_requests, window=jobs.batch_window),
    }
    return JobSources(
        kinds=(*KINDS, CALIBRATE, SCRUB, PULL, BATCH),
        finishers=finishers,
        discarders={PULL.name: care.pulls.discard},
        settings=told,
        may_begin=gate.allows,
        notifications=ground.notifications,
        environ=ground.environ,
    )


def _report(ground: Ground, url: str) -> StatusReport:
    return StatusReport(
        scheduler=ground.scheduler,
        readiness=ground.watchers.readiness,
        memory=memory_available_bytes,
        memory_total_bytes=ground.snapshot.memory.total_bytes,
        backend_versions=versions,
        url=url,
        home=ground.home,
        default_model=ground.installed.default_model,
    )

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
from appliance.ops.gpus import Gpus
from appliance.ops.history import Historian
from appliance.ops.keys import KeyStore
from appliance.ops.lifecycle import DrainSwitch
from appliance.ops.logs import set_level
from appliance.ops.machine import Machine
from appliance.ops.report import StatusReport
from appliance.ops.tiers import CacheTiers
from appliance.ops.warden import Warden
from appliance.service.adapter_care import AdapterCare
from appliance.service.adapting import Adapting
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
from appliance.service.media.fetch import Fetcher
from appliance.service.media.intake import MediaIntake
from appliance.service.media.user_files import PictureFiles
from appliance.service.normalizing import Normalizing
from appliance.service.pull_order import PULL, pull_settings
from appliance.service.pulls import Pulls
from appliance.service.responses.conversations import Conversations
from appliance.service.responses.responses import Responses
from appliance.service.responses.room import Room
from appliance.service.responses.storage import ResponseStorage
from appliance.service.store_care import SCRUB, StoreCare
from appliance.service.vocabulary import Vocabularies, vocabulary_process
from appliance.settings import LoadedSettings, SettingsBook
from models.catalogue.imported import ImportedCatalogues
from models.fetch.downloads import Downloads

from .ground import Ground, is_busy, lay


@dataclass(frozen=True, slots=True, kw_only=True)
class Appliance:
    """Everything that a running daemon is made of, below its HTTP server."""

    ground: Ground
    parts: Parts
    warden: Warden
    historian: Historian


@dataclass(frozen=True, slots=True, kw_only=True)
class _Care:
    """The owners of what is done with models beside answering."""

    models: ModelCare
    store: StoreCare
    kernels: KernelCare
    pulls: Pulls


@dataclass(frozen=True, slots=True, kw_only=True)
class _Talk:
    """What answers callers."""

    answers: ResponseCache
    generation: Generation
    vocabularies: Vocabularies
    responses: Responses
    conversations: Conversations


def build(
    loaded: LoadedSettings, home: Path, url: str, keys: KeyStore, environ: Mapping[str, str] = BASE_ENVIRON
) -> Appliance:
    """Return the parts, connected. Needs the running loop. `environ` is the child processes'."""
    ground = lay(loaded.settings, home, environ)
    care = _care(ground)
    ground.store.clean()
    ground.sweeper.sweep_soon()
    gpus = Gpus(ground.snapshot)
    parts = _parts(ground, care, _report(ground, url, gpus), keys, _book(loaded, home))
    warden = Warden(parts.machine.strain, ground.scheduler, loaded.settings.power)
    return Appliance(ground=ground, parts=parts, warden=warden, historian=_historian(ground, gpus))


def _book(loaded: LoadedSettings, home: Path) -> SettingsBook:
    return SettingsBook(loaded.path or home / "appliance.toml", loaded, {"log.level": set_level})


def _historian(ground: Ground, gpus: Gpus) -> Historian:
    total_bytes = ground.snapshot.memory.total_bytes
    return Historian(ground.watchers.history, ground.scheduler, gpus, lambda: total_bytes - memory_available_bytes())


def _tiers(ground: Ground) -> CacheTiers:
    kv_disk = ground.kv_disk
    return CacheTiers(ground.scheduler.status, ground.watchers.requests, kv_disk.root, kv_disk.budget_bytes)


def _parts(ground: Ground, care: _Care, report: StatusReport, keys: KeyStore, book: SettingsBook) -> Parts:
    home, settings, installed, watchers = ground.home, ground.settings, ground.installed, ground.watchers
    explainer, machine = Explainer(installed, ground.planner.explain), Machine(ground.snapshot)
    talk = _talk(ground, care)
    jobs, calibrating = _jobs(ground, care, explainer)
    return Parts(
        server=settings.server,
        book=book,
        normalizing=Normalizing(settings.normalizers, ground.publish),
        installed=installed,
        generation=talk.generation,
        answers=talk.answers,
        responses=talk.responses,
        conversations=talk.conversations,
        vocabularies=talk.vocabularies,
        care=care.models,
        copies=ModelCopies(ground.store, installed, care.models),
        catalogue=_catalogue(ground, machine),
        explainer=explainer,
        store=care.store,
        adapters=AdapterCare(ground.store, installed, ground.scheduler.forget_adapter),
        kernels=care.kernels,
        keys=keys,
        metrics=watchers.metrics,
        requests=watchers.requests,
        feed=watchers.feed,
        readiness=watchers.readiness,
        report=report,
        tiers=_tiers(ground),
        drain_switch=DrainSwitch(),
        machine=machine,
        doctor=Doctor(home, settings, watchers.readiness),
        jobs=jobs,
        calibrating=calibrating,
        files=ground.files,
        batches=watchers.batches,
        tasks=_tasks(ground, talk.generation),
        notifications=ground.notifications,
        feedback=FeedbackBook(home / DATABASE_FILE),
        timing=StreamTiming(),
    )


def _talk(ground: Ground, care: _Care) -> _Talk:
    installed, answers = ground.installed, _answers(ground)
    generation = Generation(
        ground.scheduler, installed.preset, answers, media=_media(ground), adapt=Adapting(installed).adapt
    )
    vocabularies = Vocabularies(installed, ground.scheduler, vocabulary_process(ground.environ))
    kept = ResponseStorage(ground.home / DATABASE_FILE, ground.settings.responses)
    return _Talk(
        answers=answers,
        generation=generation,
        vocabularies=vocabularies,
        responses=Responses(kept, generation, Room(care.models, vocabularies).fits),
        conversations=Conversations(kept),
    )


def _tasks(ground: Ground, generation: Generation) -> Tasks:
    table = partial(TaskTable, ground.home / DATABASE_FILE)
    return Tasks(table, generation, ground.notifications, ground.settings.tasks.keep_s)


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


def _media(ground: Ground) -> MediaIntake:
    settings = ground.settings.media
    return MediaIntake(
        settings,
        ground.settings.server.max_body_bytes,
        check=ground.installed.check_media,
        fetch=Fetcher(settings).fetch,
        read_file=PictureFiles(ground.files, settings.max_bytes).read,
    )


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


def _report(ground: Ground, url: str, gpus: Gpus) -> StatusReport:
    return StatusReport(
        scheduler=ground.scheduler,
        readiness=ground.watchers.readiness,
        memory=memory_available_bytes,
        memory_total_bytes=ground.snapshot.memory.total_bytes,
        backend_versions=versions,
        url=url,
        home=ground.home,
        default_model=ground.installed.default_model,
        requests=ground.watchers.requests,
        gpus=gpus,
        history=ground.watchers.history,
    )

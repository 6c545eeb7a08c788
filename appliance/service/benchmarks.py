"""What is to be measured of the models, and what becomes of what was: kept, told, and followed by who runs on what."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from appliance.backends.calibration_plan import calibration_plan
from appliance.core.calibration import Benchmark, CalibrateArguments, Calibrated
from appliance.core.events import ModelBenchmarked, SystemEvent
from appliance.core.jobs import Job, JobKind, JsonObject, Tell, tell_nobody
from appliance.core.measurement import Candidate, Measurement
from appliance.core.plan import LoadPlan
from appliance.errors import ApplianceError, InvalidRequest

from .calibrations import Calibrations
from .explain import Explainer
from .installed import Installed, name_of
from .measurements import Measurements

CALIBRATE = JobKind(
    name="calibrate",
    module="appliance.engine.calibrate_job",
    arguments=CalibrateArguments,
    is_resumable=True,
    lane="idle",
    shared_by=("candidate",),
)

logger = logging.getLogger(__name__)


class Benchmarks:
    """Orders calibrations and keeps what they find; when they run is decided elsewhere."""

    def __init__(
        self,
        installed: Installed,
        explainer: Explainer,
        measurements: Measurements,
        calibrations: Calibrations,
        publish: Callable[[SystemEvent], None],
        move: Callable[[str], None],
    ) -> None:
        """`move` lets a loaded model go where it would be loaded now."""
        self._installed = installed
        self._explainer = explainer
        self._measurements = measurements
        self._calibrations = calibrations
        self._publish = publish
        self._move = move

    def orders(self, model: str, backends: Sequence[str] = ()) -> tuple[CalibrateArguments, ...]:
        """Return what measures a model in all ways in which it could run now, or on some backends. Reads the disk.

        Raises: ModelNotFound; InvalidRequest, with what there is; DoesNotFit, where none of them has room.
        """
        if self._installed.task(model) == "transcribe":
            raise InvalidRequest(f"{model!r} turns speech into text; only models that read text are measured")
        ways = [each for each in self._explainer.explain(model).candidates if each.is_ready]
        wanted = [each for each in ways if not backends or {each.backend, each.variant} & {*backends}]
        if not wanted:
            there_is = ", ".join(each.variant for each in ways) or "nothing"
            raise InvalidRequest(f"{model!r} can run here on {there_is}", param="backends")
        orders, problem = [], None
        for each in wanted:
            try:
                orders.append(self._order(each))
            except ApplianceError as error:
                problem = error
        if problem is not None and not orders:
            raise problem
        return tuple(orders)

    def due(self, first: Iterable[str], skipped: frozenset[str] = frozenset()) -> CalibrateArguments | None:
        """Return what is to be measured next: of the models in `first`, then of the default one, then of all others.

        `skipped` are candidates that are not wanted. Reads the disk.
        """
        names = {name_of(manifest) for manifest in self._installed.manifests()}
        in_turn = dict.fromkeys((*first, self._installed.default_model, *sorted(names)))
        found = (order for name in in_turn if name in names for order in self._due_of(name))
        return next((order for order in found if order.candidate not in skipped), None)

    async def keep(self, job: Job, result: JsonObject, tell: Tell = tell_nobody) -> JsonObject:
        """Keep what a job measured, and let a loaded model move once nothing of it is left to measure."""
        order, found = msgspec.convert(job.arguments, CalibrateArguments), msgspec.convert(result, Calibrated)
        plan, measurement = order.plan, found.measurement
        before = self._measurements.before(*_key(plan))
        try:
            await asyncio.to_thread(self._measurements.keep, *_key(plan), measurement)
        except OSError as error:
            raise ApplianceError(f"what was measured cannot be kept: {error}") from error
        if found.threads is not None:
            await asyncio.to_thread(self._calibrations.keep, plan, found.threads)
        logger.info("measured %s: %s", order.candidate, _in_words(measurement))
        self._publish(ModelBenchmarked(candidate=order.candidate, backend=plan.backend, measurement=measurement))
        name = order.candidate.partition("@")[0]
        if not await asyncio.to_thread(lambda: [*self._due_of(name)]):
            self._move(name)
        note = "disturbed by other programs, so it is not kept" if measurement.is_disturbed else _in_words(measurement)
        benchmark = Benchmark(
            candidate=order.candidate, backend=plan.backend, measurement=measurement, before=before, note=note
        )
        return msgspec.to_builtins(benchmark)  # type: ignore[no-any-return]  # a struct becomes a dict

    def give_up(self, job: Job) -> None:
        """Keep why a candidate cannot be measured: it is not tried again by itself. Writes to the disk."""
        problem = job.error.message if job.error is not None else f"it is {job.state}"
        plan = msgspec.convert(job.arguments, CalibrateArguments).plan
        try:
            self._measurements.keep_problem(*_key(plan), problem)
        except OSError as error:
            logger.warning("that %s cannot be measured is not kept: %s", job.arguments["candidate"], error)

    def needed_bytes(self, job: Job) -> int:
        """Return the memory that a job takes."""
        return msgspec.convert(job.arguments, CalibrateArguments).plan.estimated_bytes

    def _due_of(self, name: str) -> Iterator[CalibrateArguments]:
        """Yield what is to be measured of the model's own files; what was made of them is a model of its own."""
        if self._installed.task(name) == "transcribe":
            return
        for candidate in self._explainer.explain(name).candidates:
            if not candidate.is_ready or candidate.model != name:
                continue
            try:
                order = self._order(candidate)
            except ApplianceError:
                continue
            if self._measurements.is_due(*_key(order.plan), time.time()):
                yield order

    def _order(self, candidate: Candidate) -> CalibrateArguments:
        name = f"{candidate.model}@{candidate.variant}"
        details = self._installed.manifest(candidate.model).details
        return CalibrateArguments(candidate=name, plan=calibration_plan(self._installed.plan(name), details))


def _key(plan: LoadPlan) -> tuple[str, str, str]:
    return plan.artefact.digest, plan.backend, plan.kv_type


def _in_words(measurement: Measurement) -> str:
    speed = measurement.speed
    words = [f"{each.tokens_per_s:.0f} tokens/s of a prompt of {each.num_tokens}" for each in speed.prefill]
    if speed.decode_1_tokens_per_s is not None:
        words.append(f"{speed.decode_1_tokens_per_s:.1f} generated for one chat")
    if speed.decode_8_tokens_per_s is not None:
        words.append(f"{speed.decode_8_tokens_per_s:.1f} for eight")
    words.append(f"{measurement.memory_bytes / 2**20:.0f} MiB")
    return ", ".join(words) + (" (disturbed by other programs)" if measurement.is_disturbed else "")

"""The notifications of all that ends: written down with the end itself, and sent until whoever waits has them."""

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from appliance.core.batches import BATCH_ENDED, Batch
from appliance.core.jobs import Job
from appliance.core.notify import Delivery, DeliveryId, Target
from appliance.core.tasks import Task
from appliance.dialects.inference import task_wire
from appliance.dialects.openai.batches import batch_wire
from appliance.errors import ApplianceError, InvalidRequest
from appliance.service.table_thread import TableThread

from . import states
from .outbox import Outbox
from .sending import Sender, news
from .states import DeliveryFailed
from .targets import StandingTarget

MAX_AT_ONCE = 16
MAX_PAUSE_S = 60.0
"""The table is looked at so often: the clock may have been set meanwhile."""
MAX_LATE_RATIO = 0.1

logger = logging.getLogger(__name__)


class Notifications:
    """Owns the outbox. Every method runs on the event loop."""

    def __init__(
        self,
        open_outbox: Callable[[], Outbox],
        sender: Sender,
        standing: Iterable[StandingTarget],
        keep_s: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        """What became of a notification is kept for `keep_s`; `standing` are told without being asked for."""
        self._storage = TableThread("notifications", open_outbox)
        self._sender = sender
        self._standing = tuple(standing)
        self._keep_s = keep_s
        self._now = now
        self._news = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._sending: dict[DeliveryId, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Open the outbox and go on with what the last daemon left."""
        for each in self._standing:
            if refusal := self._sender.refusal(each.target):
                logger.error("a %s of notify.targets is not told: %s", each.target.kind, refusal)
        await self._storage.open()
        if self._storage.is_usable:
            self._worker = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Leave what is under way to the next daemon, and close the outbox."""
        tasks = [*self._sending.values(), *([self._worker] if self._worker else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._storage.close()

    def check(self, targets: Iterable[Target]) -> None:
        """Look at targets before anything is accepted. Raises: InvalidRequest, with the setting to change."""
        for target in targets:
            if refusal := self._sender.refusal(target):
                raise InvalidRequest(f"notify: this {target.kind} cannot be told: {refusal}", param="notify")

    def of_task(self, task: Task) -> tuple[Delivery, ...]:
        """Return who is to be told of a task, nobody before its end."""
        if not task.has_ended:
            return ()
        return self._about(task.id, task.owner, task.notify, f"task.{task.state}", task_wire(task))

    def of_batch(self, batch: Batch) -> tuple[Delivery, ...]:
        """Return who is to be told of a batch, nobody before its end."""
        if batch.state not in BATCH_ENDED:
            return ()
        return self._about(batch.id, batch.owner, batch.notify, f"batch.{batch.state}", batch_wire(batch))

    def of_job(self, job: Job) -> tuple[Delivery, ...]:
        """Return who is to be told of a job, nobody before its end.

        A batch's is no news beside the batch, and what the daemon does by itself is news to nobody.
        """
        if not job.has_ended or job.kind == "batch" or not job.caller:
            return ()
        return self._about(job.id, job.caller, (), f"job.{job.state}", job)

    def wake(self) -> None:
        """Look at the outbox: something new may be in it."""
        self._news.set()

    async def about(self, subject: str) -> list[Delivery]:
        """Return what became of the notifications of one piece of work. Raises: StorageError."""
        return await self._storage.do(lambda outbox: outbox.about(subject))

    def _about(
        self, subject: str, owner: str, asked: Sequence[Target], event: str, data: object
    ) -> tuple[Delivery, ...]:
        standing = [each.target for each in self._standing if each.caller in (None, owner)]
        targets = dict.fromkeys((*asked, *(each for each in standing if self._sender.refusal(each) is None)))
        now_s = self._now()
        timestamp = datetime.fromtimestamp(now_s, UTC).isoformat().replace("+00:00", "Z")
        return tuple(
            Delivery(
                id=DeliveryId(f"msg_{uuid.uuid4().hex}"),
                subject=subject,
                event=event,
                target=target,
                body=news(event, timestamp, data) if target.kind == "webhook" else "",
                created_s=now_s,
            )
            for target in targets
        )

    async def _work(self) -> None:
        """Be the task that sends, from the daemon's start to its end."""
        while True:
            self._news.clear()
            try:
                pause_s = await self._begin_due()
            except ApplianceError as error:
                logger.error("notifications wait: %s", error.message)
                pause_s = MAX_PAUSE_S
            try:
                await asyncio.wait_for(self._news.wait(), pause_s)
            except TimeoutError:
                continue

    async def _begin_due(self) -> float:
        """Begin with those whose time has come, as long as there is room, and return how long the others wait."""
        now_s = self._now()
        await self._storage.do(lambda outbox: outbox.forget(now_s - self._keep_s))
        due = await self._storage.do(lambda outbox: outbox.due(now_s, 2 * MAX_AT_ONCE))
        for delivery in due:
            if len(self._sending) < MAX_AT_ONCE and delivery.id not in self._sending:
                self._sending[delivery.id] = asyncio.create_task(self._try(delivery))
        next_s = await self._storage.do(lambda outbox: outbox.next_try_s(now_s))
        return MAX_PAUSE_S if next_s is None else min(MAX_PAUSE_S, max(0.0, next_s - self._now()))

    async def _try(self, delivery: Delivery) -> None:
        """Be the asyncio task of one try. Cancelled, it leaves the notification to be tried again."""
        try:
            tried = await self._tried(delivery)
            await self._storage.do(lambda outbox: outbox.save(tried))
            self._news.set()
        except ApplianceError as error:
            logger.error("notification %s is sent again later: %s", delivery.id, error.message)
        finally:
            del self._sending[delivery.id]

    async def _tried(self, delivery: Delivery) -> Delivery:
        try:
            await self._sender.send(delivery)
            return states.delivered(delivery, self._now())
        except DeliveryFailed as failed:
            failure = failed
        except Exception as error:
            logger.exception("notification %s failed unexpectedly", delivery.id)
            failure = DeliveryFailed(f"something unexpected happened ({type(error).__name__})")
        late_ratio = random.uniform(0, MAX_LATE_RATIO)  # noqa: S311  (no secret)
        tried = states.after_failure(delivery, failure, self._now(), late_ratio)
        # An address may be a secret: whoever knows a topic reads it
        logger.info("notification %s of %s is %s: %s", delivery.id, delivery.subject, tried.state, tried.reason)
        return tried

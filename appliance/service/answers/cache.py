"""The response cache: what was answered is not computed again, and what is being computed is computed once.

A request is looked up in memory, among the computations under way and on disk; only then is it computed. The disk is
read and written on a thread of its own.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar

import msgspec

from appliance.caches.responses import ResponseFolder
from appliance.core.caller import Caller
from appliance.core.events import AnswerLookedUp, RequestEvent, SystemEvent
from appliance.core.request import GenerateRequest
from appliance.core.response_cache import BYPASS, CacheFigures, CacheMark, CacheOutcome, ClearedCache
from appliance.errors import NotCached
from appliance.scheduler.stream import RequestStream
from appliance.service.events import EventStream
from appliance.settings import CacheSettings

from . import kept
from .flight import Flight, FlightStream
from .kept import KeptAnswer, KeptStream
from .memory import RecentAnswers
from .near import Embed, NearAnswers, Question
from .policy import CachePlan, plan

T = TypeVar("T")

Submit = Callable[[GenerateRequest, Caller], RequestStream]
"""Starts a computation. Raises: as `SchedulerLoop.submit`."""

Marked = tuple[EventStream, CacheMark]


class ResponseCache:
    """Owns the answers that are kept and the computations that are shared. All methods are the event loop's."""

    def __init__(
        self,
        folder: Callable[[], ResponseFolder],
        settings: CacheSettings,
        content: Callable[[str], str],
        publish: Callable[[SystemEvent], None],
        now_s: Callable[[], float] = time.time,
        embed: Embed | None = None,
    ) -> None:
        """`folder` opens the answers on disk; it is called on the thread that uses them from then on.

        `content` names all that a model is made of, by its canonical name; it raises ModelNotFound. Without `embed`,
        or without a model for it in the settings, only the very same questions are the same.
        """
        self._settings = settings
        self._content = content
        self._publish = publish
        self._now_s = now_s
        self._recent = RecentAnswers(settings.memory_bytes)
        self._flights: dict[str, Flight] = {}
        self._near = embed and NearAnswers(embed, settings.semantic_threshold, self._read, self._write)
        self._remembering: set[asyncio.Task[None]] = set()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="answers")
        self._folder = self._thread.submit(folder)
        self._counts: dict[CacheOutcome, int] = {"hit": 0, "miss": 0, "shared": 0}
        self._saved_tokens = 0
        self._saved_s = 0.0

    async def answer(self, request: GenerateRequest, caller: Caller, submit: Submit) -> Marked:
        """Return the answer's events, and where they come from. Raises: NotCached, and what `submit` raises."""
        planned = plan(request, self._content, caller, self._settings)
        request = msgspec.structs.replace(request, cache=None)
        if planned is None:
            return submit(request, caller), BYPASS
        # Once more at the end: somebody may have begun to compute it, or have done so, while the disk was read
        if planned.reads and (
            found := self._at_hand(request, planned)
            or await self._looked_up(planned)
            or self._at_hand(request, planned)
        ):
            return self._known(request, found, planned)
        question = await self._question(planned)
        if planned.reads and question and (near := await self._nearest(request, planned, question)):
            return near
        if planned.only_cached:
            raise NotCached("this answer is not in the cache, and the request allows nothing else (only-if-cached)")
        flight = self._flights[planned.name] = Flight(submit(request, caller), partial(self._landed, planned, question))
        self._count(request, "miss")
        return flight.board(request.id), CacheMark(outcome="miss", name=planned.name)

    async def figures(self) -> CacheFigures:
        """Return what is kept, and what that saved since the start."""
        num_entries, disk_bytes = await self._on_disk(lambda folder: folder.size())
        return CacheFigures(
            mode=self._settings.mode,
            scope=self._settings.scope,
            disk_bytes=disk_bytes,
            max_disk_bytes=self._settings.disk_bytes,
            num_entries=num_entries,
            memory_bytes=self._recent.size_bytes,
            max_memory_bytes=self._settings.memory_bytes,
            num_hits=self._counts["hit"],
            num_misses=self._counts["miss"],
            num_shared=self._counts["shared"],
            saved_tokens=self._saved_tokens,
            saved_s=self._saved_s,
        )

    async def clear(self) -> ClearedCache:
        """Forget every answer; what is being computed is kept once it is done."""
        self._recent.clear()
        if self._near is not None:
            self._near.clear()
        num_entries, freed_bytes = await self._on_disk(lambda folder: folder.clear())
        return ClearedCache(num_entries=num_entries, freed_bytes=freed_bytes)

    async def close(self) -> None:
        """Write what waits to be written, and close the disk."""
        await asyncio.gather(*self._remembering)
        await self._on_disk(lambda folder: folder.close())
        self._thread.shutdown()

    def _at_hand(self, request: GenerateRequest, planned: CachePlan) -> KeptAnswer | FlightStream | None:
        """Return the answer that memory holds, else a seat in a computation that is under way."""
        remembered = self._fresh(self._recent.get(planned.name, self._now_s()), planned)
        if remembered is not None:
            return remembered
        flight = self._flights.get(planned.name)
        return None if flight is None else flight.board(request.id)

    async def _looked_up(self, planned: CachePlan) -> KeptAnswer | None:
        content = await self._read(planned.name)
        answer = None if content is None else kept.decode(content)
        if answer is not None and content is not None:
            self._recent.put(planned.name, answer, answer.stored_s + planned.ttl_s, len(content))
        return self._fresh(answer, planned)

    def _fresh(self, answer: KeptAnswer | None, planned: CachePlan) -> KeptAnswer | None:
        """Return the answer unless it is older than the request allows."""
        if answer is None or planned.max_age_s is None:
            return answer
        return answer if self._now_s() - answer.stored_s <= planned.max_age_s else None

    async def _question(self, planned: CachePlan) -> Question | None:
        if self._near is None or planned.neighbourhood is None:
            return None
        return await self._near.question(planned.question)

    async def _nearest(self, request: GenerateRequest, planned: CachePlan, question: Question) -> Marked | None:
        assert self._near is not None and planned.neighbourhood is not None, "a question has a neighbourhood"
        near = await self._near.nearest(planned.neighbourhood, question)
        if near is None:
            return None
        of_near = replace(planned, name=near.name)
        answer = self._fresh(self._recent.get(near.name, self._now_s()), planned) or await self._looked_up(of_near)
        return None if answer is None else self._hit(request, answer, near.name, near.similarity)

    def _known(self, request: GenerateRequest, found: KeptAnswer | FlightStream, planned: CachePlan) -> Marked:
        if isinstance(found, KeptAnswer):
            return self._hit(request, found, planned.name)
        self._count(request, "shared")
        return found, CacheMark(outcome="shared", name=planned.name)

    def _hit(self, request: GenerateRequest, found: KeptAnswer, name: str, similarity: float | None = None) -> Marked:
        self._saved_tokens += found.completion_tokens
        self._saved_s += found.duration_s
        self._count(request, "hit", found)
        age_s = max(0.0, self._now_s() - found.stored_s)
        mark = CacheMark(outcome="hit", name=name, age_s=age_s, similarity=similarity)
        return KeptStream(found, request.id), mark

    def _landed(
        self, planned: CachePlan, question: Question | None, flight: Flight, events: Sequence[RequestEvent] | None
    ) -> None:
        """Keep what a flight brought, if it came to its end."""
        if self._flights.get(planned.name) is flight:
            del self._flights[planned.name]
        answer = None if events is None else kept.to_keep(events, self._now_s())
        if answer is None or planned.ttl_s <= 0:
            return
        content = kept.encode(answer)
        self._recent.put(planned.name, answer, answer.stored_s + planned.ttl_s, len(content))
        self._write(planned.name, content, planned.ttl_s)
        if self._near is not None and planned.neighbourhood is not None and question is not None:
            remembering = asyncio.create_task(self._near.remember(planned.neighbourhood, question, planned.name))
            self._remembering.add(remembering)
            remembering.add_done_callback(self._remembering.discard)

    def _write(self, name: str, content: bytes, ttl_s: float | None = None) -> None:
        self._thread.submit(lambda: self._folder.result().put(name, content, ttl_s))

    def _count(self, request: GenerateRequest, outcome: CacheOutcome, answer: KeptAnswer | None = None) -> None:
        self._counts[outcome] += 1
        self._publish(
            AnswerLookedUp(
                model=request.model,
                outcome=outcome,
                saved_tokens=answer.completion_tokens if answer else 0,
                saved_s=answer.duration_s if answer else 0.0,
            )
        )

    async def _read(self, name: str) -> bytes | None:
        return await self._on_disk(lambda folder: folder.get(name))

    async def _on_disk(self, action: Callable[[ResponseFolder], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: action(self._folder.result()))

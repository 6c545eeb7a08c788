"""Answers from models: what every dialect calls once it has understood a request."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from appliance.core.caller import Caller
from appliance.core.request import EncodeRequest, GenerateRequest, RequestId, TranscribeRequest
from appliance.core.response_cache import BYPASS, CacheMark
from appliance.errors import RequestCancelled
from appliance.scheduler.loop import SchedulerLoop
from models.manifest import ModelPreset

from .answers.cache import Marked, ResponseCache
from .answers.policy import merged_mark
from .events import EventStream
from .media.intake import MediaIntake
from .merge import MergedStream
from .presets import with_preset

Adapt = Callable[[GenerateRequest], Awaitable[GenerateRequest]]
"""Completes a request with the adapters that its model is named with. Raises: ModelNotFound, InvalidRequest."""


async def as_it_is(request: GenerateRequest) -> GenerateRequest:
    """Be the `Adapt` of a machine without adapters."""
    return request


@dataclass(frozen=True, slots=True)
class Answering:
    """The events of one call, and where they come from."""

    events: EventStream
    mark: CacheMark


class Generation:
    """Hands requests to the response cache, and what it does not know to the scheduler."""

    def __init__(
        self,
        scheduler: SchedulerLoop,
        preset: Callable[[str], ModelPreset | None] = lambda model: None,
        cache: ResponseCache | None = None,
        adapt: Adapt = as_it_is,
        media: MediaIntake | None = None,
    ) -> None:
        """`preset` returns what a model begins with, by its canonical name. Without a `cache` all is computed.

        Without `media`, those of a request are taken as they come.
        """
        self._scheduler = scheduler
        self._preset = preset
        self._cache = cache
        self._adapt = adapt
        self._media = media

    async def answer(self, requests: Sequence[GenerateRequest], caller: Caller) -> Answering:
        """Return the events of one call, computed or known; if one of its requests is refused, none is started.

        Raises: NotCached, QueueFull, DoesNotFit, Draining, ModelLoading, ModelNotFound, InvalidRequest; as `whole`.
        """
        requests = [await self.whole(request, caller) for request in requests]
        answers: list[Marked] = []
        try:
            for request in requests:
                adapted = await self._adapt(self._prepared(request))
                answers.append(await self._answer(adapted, caller))
        except BaseException:
            for stream, _ in answers:
                stream.cancel()
            raise
        streams, marks = zip(*answers, strict=True)
        if len(answers) == 1:
            return Answering(streams[0], marks[0])
        return Answering(MergedStream(streams, requests[0].num_choices), merged_mark(marks))

    async def whole(self, request: GenerateRequest, caller: Caller) -> GenerateRequest:
        """Return the request with the media that were still to be fetched.

        Raises: ModelNotFound, InvalidRequest, FileNotFound, StorageError.
        """
        return request if self._media is None else await self._media.whole(request, caller)

    def generate(self, request: GenerateRequest, caller: Caller) -> EventStream:
        """Start a request without adapters that is to be computed whatever is known. Raises: as `answer`."""
        return self._scheduler.submit(self._prepared(request), caller)

    def encode(self, request: EncodeRequest, caller: Caller) -> EventStream:
        """Start a request for rows and return its events. Raises: as `generate`."""
        return self._scheduler.submit(request, caller)

    def transcribe(self, request: TranscribeRequest, caller: Caller) -> EventStream:
        """Start a request for the words of a recording and return its events. Raises: as `generate`."""
        return self._scheduler.submit(request, caller)

    def cancel(self, request_id: RequestId) -> None:
        """End a request for an operator; one that is over stays as it is. Its events end with RequestCancelled."""
        self._scheduler.cancel(request_id, RequestCancelled("an operator of this machine cancelled the request"))

    async def _answer(self, request: GenerateRequest, caller: Caller) -> Marked:
        if self._cache is None:
            return self._scheduler.submit(request, caller), BYPASS
        return await self._cache.answer(request, caller, self._scheduler.submit)

    def _prepared(self, request: GenerateRequest) -> GenerateRequest:
        prompt = with_preset(request.prompt, self._preset(request.model), has_begun=bool(request.context))
        return request if prompt is request.prompt else msgspec.structs.replace(request, prompt=prompt)

"""Answers from models: what every dialect calls once it has understood a request."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import msgspec

from appliance.core.caller import Caller
from appliance.core.events import RequestEvent
from appliance.core.request import EncodeRequest, GenerateRequest, RequestId
from appliance.errors import RequestCancelled
from appliance.scheduler.loop import SchedulerLoop
from appliance.scheduler.queue_place import QueuePlace
from appliance.scheduler.stream import RequestStream
from models.manifest import ModelPreset

from .merge import MergedStream
from .presets import with_preset


class EventStream(Protocol):
    """The events of one call. Iterating raises ApplianceError when it fails; `cancel` may be called at any time."""

    def __aiter__(self) -> AsyncIterator[RequestEvent]:
        """Return the events, once."""

    @property
    def queue_place(self) -> QueuePlace | None:
        """Return where the call stands in the queue now, None when it does not wait."""

    def cancel(self) -> None:
        """Free what the call holds."""


class Generation:
    """Hands requests to the scheduler, with what their models begin with.

    A cache of responses and single flight will stand here.
    """

    def __init__(
        self, scheduler: SchedulerLoop, preset: Callable[[str], ModelPreset | None] = lambda model: None
    ) -> None:
        """`preset` returns what a model begins with, by its canonical name."""
        self._scheduler = scheduler
        self._preset = preset

    def generate(self, requests: Sequence[GenerateRequest], caller: Caller) -> EventStream:
        """Start all requests of one call and return their events; if one is refused, none is started.

        Raises: QueueFull, DoesNotFit, Draining, ModelLoading, ModelNotFound, InvalidRequest.
        """
        prepared = [self._prepared(request) for request in requests]
        streams: list[RequestStream] = []
        try:
            for request in prepared:
                streams.append(self._scheduler.submit(request, caller))  # noqa: PERF401  (the except needs the list)
        except BaseException:
            for stream in streams:
                stream.cancel()
            raise
        return streams[0] if len(streams) == 1 else MergedStream(streams, requests[0].num_choices)

    def encode(self, request: EncodeRequest, caller: Caller) -> EventStream:
        """Start a request for rows and return its events. Raises: as `generate`."""
        return self._scheduler.submit(request, caller)

    def cancel(self, request_id: RequestId) -> None:
        """End a request for an operator; one that is over stays as it is. Its events end with RequestCancelled."""
        self._scheduler.cancel(request_id, RequestCancelled("an operator of this machine cancelled the request"))

    def _prepared(self, request: GenerateRequest) -> GenerateRequest:
        prompt = with_preset(request.prompt, self._preset(request.model), has_begun=bool(request.context))
        return request if prompt is request.prompt else msgspec.structs.replace(request, prompt=prompt)

"""What the events of a call look like to whoever reads them, wherever they come from."""

from collections.abc import AsyncIterator
from typing import Protocol

from appliance.core.events import RequestEvent
from appliance.scheduler.queue_place import QueuePlace


class EventStream(Protocol):
    """The events of one call. Iterating raises ApplianceError when it fails; `cancel` may be called at any time."""

    def __aiter__(self) -> AsyncIterator[RequestEvent]:
        """Return the events, once."""

    @property
    def queue_place(self) -> QueuePlace | None:
        """Return where the call stands in the queue now, None when it does not wait."""

    def cancel(self) -> None:
        """Free what the call holds."""

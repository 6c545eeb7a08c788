"""Everything that the scheduler can do to the world. Decides nothing."""

from collections.abc import Sequence
from typing import Protocol

from appliance.core.events import SystemEvent
from appliance.core.messages import ToWorker
from appliance.core.plan import LoadPlan
from appliance.core.request import RequestId
from appliance.errors import ApplianceError


class Effects(Protocol):
    """What the scheduler calls. Each call returns at once and never calls the scheduler before it has returned."""

    def plan(self, model: str) -> LoadPlan:
        """Return how the model would be run now. Raises: ModelNotFound and whatever else makes a plan impossible."""

    def available_memory_bytes(self) -> int:
        """Return the memory that the system could give away now."""

    def start_worker(self, plan: LoadPlan) -> None:
        """Start a process and let it load. `on_loaded`, `on_load_failed` or `on_worker_exit` follows."""

    def stop_worker(self, model: str) -> None:
        """End the model's process. `on_worker_exit` follows."""

    def send(self, model: str, messages: Sequence[ToWorker]) -> None:
        """Send one frame to the model's worker."""

    def fail(self, request_id: RequestId, error: ApplianceError) -> None:
        """Tell whoever waits for the request that it ended with an error."""

    def publish(self, event: SystemEvent) -> None:
        """Tell the rest of the system."""

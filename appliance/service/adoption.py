"""Makes a new model ready for a backend that is faster here, where there is one. A failure costs only the speed."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from appliance.backends.registry import adopt, wants_adoption
from appliance.core.hardware import HardwareSnapshot
from appliance.core.plan import Artefact
from appliance.errors import BackendError
from models.manifest import ModelDetails

logger = logging.getLogger(__name__)

Adopt = Callable[[Artefact, HardwareSnapshot, Callable[[float], None]], None]


class Adoption:
    """Decides and does it, on another thread; the work itself is a child process's."""

    def __init__(self, snapshot: HardwareSnapshot, *, is_on: bool, adopt: Adopt = adopt) -> None:
        self._snapshot = snapshot
        self._is_on = is_on
        self._adopt = adopt

    async def run(self, name: str, artefact: Artefact, details: ModelDetails) -> AsyncIterator[float]:
        """Yield how far it is, a ratio, until the model is ready; nothing where it stays as it is."""
        if not self._is_on or not wants_adoption(artefact, details, self._snapshot):
            return
        loop, ratios = asyncio.get_running_loop(), asyncio.Queue[float | None]()

        def tell(ratio: float | None) -> None:
            loop.call_soon_threadsafe(ratios.put_nowait, ratio)

        def work() -> None:
            try:
                self._adopt(artefact, self._snapshot, tell)
            except (BackendError, OSError) as problem:
                logger.warning("model '%s' runs as before: %s", name, problem)
            finally:
                tell(None)

        working = asyncio.create_task(asyncio.to_thread(work))
        while (ratio := await ratios.get()) is not None:
            yield ratio
        await working

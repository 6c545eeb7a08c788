"""Makes a new model ready for a backend that is faster here, where there is one. A failure costs only the speed."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from queue import SimpleQueue
from threading import Thread

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

    def steps(self, name: str, artefact: Artefact, details: ModelDetails) -> Iterator[float]:
        """Yield how far it is, a ratio, until the model is ready; nothing where it stays as it is. Blocks."""
        # A model with a projector runs where that is read
        if not self._is_on or artefact.projector_path or not wants_adoption(artefact, details, self._snapshot):
            return
        ratios: SimpleQueue[float | None] = SimpleQueue()

        def work() -> None:
            try:
                self._adopt(artefact, self._snapshot, ratios.put)
            except (BackendError, OSError) as problem:
                logger.warning("model '%s' was not made ready for our kernels: %s", name, problem)
            finally:
                ratios.put(None)

        working = Thread(target=work, name=f"adopt {name}")
        working.start()
        while (ratio := ratios.get()) is not None:
            yield ratio
        working.join()

    async def run(self, name: str, artefact: Artefact, details: ModelDetails) -> AsyncIterator[float]:
        """Yield what `steps` yields, without blocking."""
        steps = self.steps(name, artefact, details)
        while (ratio := await asyncio.to_thread(next, steps, None)) is not None:
            yield ratio

"""Care of our own kernels: what is compiled of the models, what is to be compiled and tuned, what may go."""

import asyncio
import time
from collections.abc import Callable
from typing import Literal

import msgspec

from appliance.backends import kernels, registry
from appliance.core.hardware import HardwareSnapshot
from appliance.core.jobs import Job, JsonObject, Tell, tell_nobody
from appliance.core.kernels import CleanedKernels, CompiledModel, TunedTiles
from appliance.core.plan import Artefact
from appliance.errors import ApplianceError, Conflict
from appliance.service.tunings import Tunings

from .installed import Installed


class KernelCare:
    """Says what jobs are to do, and keeps what they find; the work itself is theirs."""

    def __init__(
        self, installed: Installed, snapshot: HardwareSnapshot, tunings: Tunings, is_busy: Callable[[], bool]
    ) -> None:
        """`is_busy` tells whether a model computes now."""
        self._installed = installed
        self._snapshot = snapshot
        self._tunings = tunings
        self._is_busy = is_busy

    def compiled(self) -> tuple[CompiledModel, ...]:
        """Return everything that is compiled. Reads the disk."""
        found = (kernels.compiled_of(*files, self._snapshot) for files in self._installed.artefacts())
        return tuple(each for of_files in found for each in of_files)

    def outdated(self) -> list[str]:
        """Return a name of each model that is to run on our kernels and cannot yet, as they are now. Reads the disk."""
        if kernels.kernels_in_use(self._snapshot) is None:
            return []
        return sorted(names[0] for artefact, names in self._installed.artefacts() if self._is_due(artefact, names))

    def _is_due(self, artefact: Artefact, names: tuple[str, ...]) -> bool:
        if kernels.is_compiled(artefact, self._snapshot):
            return False
        was_compiled = bool(kernels.compiled_of(artefact, names, self._snapshot))
        details = self._installed.manifest(names[0]).details
        return was_compiled or registry.wants_adoption(artefact, details, self._snapshot)

    def clean(self) -> CleanedKernels:
        """Delete what only another version or processor could use, and what killed processes left."""
        done = [kernels.clean(files, self._snapshot, time.time()) for files, _ in self._installed.artefacts()]
        return CleanedKernels(num_removed=sum(number for number, _ in done), freed_bytes=sum(size for _, size in done))

    def compile_order(self, model: str, bits: Literal[4, 8] | None = None) -> msgspec.Struct:
        """Return the arguments of a job `compile`. Raises: ModelNotFound, InvalidRequest, Conflict."""
        name, artefact = self._found(model)
        return kernels.compile_order(name, artefact, self._snapshot, self._tunings.tiles(), bits)

    def tune_order(self, model: str | None) -> msgspec.Struct:
        """Return the arguments of a job `tune`. Raises: Conflict while a model computes; as `compile_order`."""
        if self._is_busy():
            raise Conflict("models are answering now, and what is measured beside them counts for nothing; try later")
        name, artefact = (None, None) if model is None else self._found(model)
        return kernels.tune_order(name, artefact, self._snapshot, self._tunings.tiles())

    async def keep_tuned(self, job: Job, result: JsonObject, tell: Tell = tell_nobody) -> JsonObject:
        """Keep what a job `tune` found, for all that is compiled from now on."""
        try:
            await asyncio.to_thread(self._tunings.keep, msgspec.convert(result, TunedTiles))
        except OSError as error:
            raise ApplianceError(f"what was measured cannot be kept: {error}") from error
        return result

    def adopt(self, artefact: Artefact, snapshot: HardwareSnapshot, progress: Callable[[float], None]) -> None:
        """Make a new model ready with the tiles that are known here. Raises: BackendError, OSError."""
        registry.adopt(artefact, snapshot, progress, self._tunings.tiles())

    def _found(self, model: str) -> tuple[str, Artefact]:
        name = self._installed.resolve(model).partition("@")[0]
        return name, self._installed.artefact(name)

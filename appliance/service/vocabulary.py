"""Reading prompts without an answer: what they are as text, which tokens, how many.

A process per model opens its vocabulary alone, started when somebody asks and ended when nobody does any more. So
counting loads no weights, and a bad file cannot hurt the daemon. Tokens are counted by the worker of a model that is
loaded: agents ask before every turn, and a second copy of a large vocabulary is 130 MB.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from appliance.core.events import PromptRead
from appliance.core.messages import FromWorker, OpenVocabulary
from appliance.core.request import MediaAddress, ReadRequest
from appliance.dialects.media.formats import NOUNS
from appliance.errors import BackendError, InvalidRequest
from appliance.link.process import BASE_ENVIRON, VOCABULARY_MODULE, WorkerProcess, worker_command
from appliance.link.readings import Readings
from appliance.scheduler.loop import SchedulerLoop
from appliance.scheduler.pool import STOP_GRACE_S, Spawn
from models.names import without_adapters

from .installed import Installed
from .media.intake import media_in
from .presets import with_preset

IDLE_S = 300.0
MAX_PROCESSES = 2
"""One was measured to hold 40 to 130 MB of its own (GPT-2, Gemma), which a small machine has better use for."""


def vocabulary_process(environ: Mapping[str, str] = BASE_ENVIRON) -> Spawn:
    """Return how the process of a vocabulary is started, with no more environment than that."""
    command = partial(worker_command, module=VOCABULARY_MODULE)
    return partial(WorkerProcess.spawn, environ=environ, command=command)


class Vocabularies:
    """The vocabularies that are open now. All methods belong to the event loop's thread."""

    def __init__(
        self,
        installed: Installed,
        scheduler: SchedulerLoop,
        spawn: Spawn,
        *,
        idle_s: float = IDLE_S,
        max_processes: int = MAX_PROCESSES,
    ) -> None:
        self._installed = installed
        self._scheduler = scheduler
        self._spawn = spawn
        self._idle_s = idle_s
        self._max_processes = max_processes
        self._open: dict[str, _Reader] = {}  # by the digest of the model's files, the one used last at the end
        self._ending: set[_Reader] = set()
        self._has_news = asyncio.Event()

    async def read(self, request: ReadRequest) -> PromptRead:
        """Return what the request wants to know, with what its model begins with; `request.model` is canonical.

        Raises: ModelNotFound, InvalidRequest, BackendError.
        """
        prompt = with_preset(request.prompt, self._installed.preset(request.model))
        request = msgspec.structs.replace(request, prompt=prompt, model=without_adapters(request.model))
        has_media = self._has_media(request)
        if self._is_plain_count(request) and (answer := await self._scheduler.count(request)) is not None:
            return answer
        if has_media and request.wants == "count":
            raise InvalidRequest(
                f"only in memory it is known what pictures and recordings take, and model {request.model!r} is not "
                "there; load it, and count again",
                param="messages",
            )
        reader = await self._reader(request.model)
        try:
            return await reader.read(request)
        finally:
            if reader.is_idle and reader in self._open.values():
                reader.close_after(self._idle_s, partial(self._close, reader))
            self._has_news.set()

    async def close(self) -> None:
        """End all processes and wait until they are gone."""
        for reader in [*self._open.values()]:
            self._close(reader)
        while self._ending:
            self._has_news.clear()
            await self._has_news.wait()

    def _has_media(self, request: ReadRequest) -> bool:
        """Return whether the prompt holds more than text. Raises: InvalidRequest, where that cannot be read so."""
        media = list(media_in(request.prompt))
        if not media:
            return False
        self._installed.check_media(request.model, frozenset(each.kind for each in media))
        if request.wants in ("tokens", "pieces"):
            raise InvalidRequest("pictures and recordings have no tokens to show; leave them out", param="messages")
        for each in media:
            if isinstance(each, MediaAddress):
                raise InvalidRequest(
                    f"'{each.param}' is fetched for an answer alone; send the {NOUNS[each.kind]} itself, in base64",
                    param=each.param,
                )
        return True

    def _is_plain_count(self, request: ReadRequest) -> bool:
        """Return whether the worker of a loaded model may be asked. What tokens spell, its steps alone may look up."""
        is_whole = request.parses_special and request.adds_special
        return request.wants == "count" and is_whole and self._installed.task(request.model) == "generate"

    async def _reader(self, model: str) -> "_Reader":
        artefact = self._installed.artefact(model)
        while (reader := self._open.pop(artefact.digest, None)) is None and not self._makes_room():
            self._has_news.clear()
            await self._has_news.wait()
        if reader is None:
            opening = OpenVocabulary(artefact=artefact, task=self._installed.task(model))
            reader = _Reader(model, opening, self._spawn, self._gone)
        self._open[artefact.digest] = reader
        return reader

    def _makes_room(self) -> bool:
        """Return whether one more process may start; the one that has been idle for longest ends for it."""
        if len(self._open) < self._max_processes:
            return True
        idle = next((reader for reader in self._open.values() if reader.is_idle), None)
        if idle is not None:
            self._close(idle)
        return idle is not None

    def _close(self, reader: "_Reader") -> None:
        self._forget(reader)
        self._ending.add(reader)
        reader.close()

    def _gone(self, reader: "_Reader") -> None:
        self._forget(reader)
        self._ending.discard(reader)
        self._has_news.set()

    def _forget(self, reader: "_Reader") -> None:
        self._open = {digest: other for digest, other in self._open.items() if other is not reader}


class _Reader:
    """One process and who waits for its answers."""

    def __init__(self, model: str, opening: OpenVocabulary, spawn: Spawn, on_gone: Callable[["_Reader"], None]) -> None:
        self._model = model
        self._on_gone = on_gone
        self._readings = Readings()
        self._cause = ""
        self._timer: asyncio.TimerHandle | None = None
        try:
            self._process = spawn(model, self._on_messages, self._on_exit)
        except OSError as error:
            raise self._problem(f"could not be started: {error}") from None
        self._process.send([opening])

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return self._readings.is_idle

    async def read(self, request: ReadRequest) -> PromptRead:
        """Return the answer. Raises: what reading raises; BackendError, when the process ends before."""
        self._stop_timer()
        answer = await self._readings.ask(request, self._process.send)
        if answer is None:
            raise self._problem(self._cause)
        return answer

    def close_after(self, idle_s: float, close: Callable[[], None]) -> None:
        """Call `close` unless something is read before."""
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(idle_s, close)

    def close(self) -> None:
        """Let the process end."""
        self._stop_timer()
        self._process.terminate(STOP_GRACE_S)

    def _on_messages(self, messages: list[FromWorker]) -> None:
        for message in messages:
            self._readings.take(message)

    def _on_exit(self, cause: str) -> None:
        self._stop_timer()
        self._cause = cause
        self._readings.end()
        self._on_gone(self)

    def _problem(self, cause: str) -> BackendError:
        return BackendError(f"the vocabulary of model '{self._model}' could not be read: its process {cause}")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

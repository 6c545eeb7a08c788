"""The responses of all callers: begun, followed while they are written, kept, told again, cancelled and deleted."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence

from appliance.core.caller import Caller
from appliance.core.request import ChatPrompt, RequestId
from appliance.dialects.responses.items import Item, take_in
from appliance.dialects.responses.prompt import prompt_of, response_to_core
from appliance.dialects.responses.request import PromptRequest, ResponseRequest, check, check_sources
from appliance.dialects.responses.response import Response, new_response
from appliance.dialects.responses.tools import Offers
from appliance.dialects.responses.writer import ResponseWriter
from appliance.errors import ApplianceError, Conflict, InvalidRequest, StorageError
from appliance.service.generate import EventStream, Generation

from .kept import KeptResponses, interrupted
from .run import Run, Terms
from .shortening import Fits, ShorteningStream
from .storage import ResponseStorage

logger = logging.getLogger(__name__)


class Responses:
    """All responses. Every method runs on the daemon's event loop; what belongs to another owner is not found."""

    def __init__(
        self,
        storage: ResponseStorage,
        generation: Generation,
        fits: Fits,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._storage = storage
        self._kept = KeptResponses(storage, now)
        self._generation = generation
        self._fits = fits
        self._now = now
        self._runs: dict[str, Run] = {}

    async def start(self) -> None:
        """Open the store; what the last daemon was writing has failed."""
        await self._storage.open()
        if self._storage.is_usable:
            try:
                await self._kept.recover()
            except StorageError as error:
                logger.error("what is kept of responses could not be looked through: %s", error)

    async def close(self) -> None:
        """Give up what is still being written, and close the store."""
        runs = list(self._runs.values())
        for run in runs:
            run.cancel(interrupted())
        await asyncio.gather(*(run.task for run in runs))
        await self._storage.close()

    async def begin(self, wire: ResponseRequest, model: str, caller: Caller, owner: str) -> Run:
        """Start a response and return it; one in the background is on the disk by then.

        Raises: InvalidRequest, Conflict, ConversationNotFound, ItemNotFound, StorageError; and what starting raises.
        """
        check(wire)
        stem = uuid.uuid4().hex
        terms, prompt, offers = await self._understood(wire, owner, stem)
        response = new_response(wire, f"resp_{stem}", model, self._now(), is_stored=terms.is_stored)
        events = self._started(wire, prompt, RequestId(stem), model, caller)
        if terms.is_background:
            try:
                await self._kept.save(owner, response, terms.inputs)
            except BaseException:
                events.cancel()
                raise
        run = Run(terms, ResponseWriter(response, wire, offers), events, self._keep, self._now)
        self._runs[response.id] = run
        run.task.add_done_callback(lambda _: self._runs.pop(response.id, None))
        return run

    async def prompt(self, wire: PromptRequest, owner: str) -> ChatPrompt:
        """Return the prompt that a request makes, with all that was said before. Raises: as `begin`."""
        check_sources(wire)
        _, prompt, _ = await self._read(wire, owner, "")
        return prompt

    async def get(self, owner: str, response_id: str) -> Response:
        """Return a response as it is now. Raises: ResponseNotFound, StorageError."""
        run = self._run(owner, response_id)
        return run.response if run else await self._kept.get(owner, response_id)

    async def follow(self, owner: str, response_id: str, after: int) -> AsyncGenerator[bytes, None]:
        """Return the events of a response behind number `after`: those there are, and those to come.

        Raises: ResponseNotFound, InvalidRequest, StorageError.
        """
        if run := self._run(owner, response_id):
            return run.follow(after)
        frames = await self._kept.frames(owner, response_id)
        if not frames:
            raise InvalidRequest(f"response {response_id!r} ended without events that could be sent again")
        return _sent_again(frames[after + 1 :])

    async def inputs(self, owner: str, response_id: str) -> Sequence[Item]:
        """Return what came in for a response, the oldest first. Raises: ResponseNotFound, StorageError."""
        run = self._run(owner, response_id)
        return run.terms.inputs if run else await self._kept.inputs(owner, response_id)

    async def cancel(self, owner: str, response_id: str) -> Response:
        """End a background response and return it; one that is over stays as it is.

        Raises: ResponseNotFound, InvalidRequest, StorageError.
        """
        response = await self.get(owner, response_id)
        if not response.background:
            raise InvalidRequest("only a response with 'background': true can be cancelled; close the connection")
        if run := self._run(owner, response_id):
            await _stopped(run)
            return run.response
        return response

    async def delete(self, owner: str, response_id: str) -> None:
        """Delete a response; one that is being written is given up. Raises: ResponseNotFound, StorageError."""
        if run := self._run(owner, response_id):
            await _stopped(run)
        await self._kept.delete(owner, response_id)

    async def _understood(self, wire: ResponseRequest, owner: str, stem: str) -> tuple[Terms, ChatPrompt, Offers]:
        inputs, prompt, offers = await self._read(wire, owner, stem)
        terms = Terms(owner=owner, inputs=inputs, is_stored=self._is_stored(wire), is_background=bool(wire.background))
        return terms, prompt, offers

    async def _read(self, wire: PromptRequest, owner: str, stem: str) -> tuple[Sequence[Item], ChatPrompt, Offers]:
        if wire.previous_response_id and self._run(owner, wire.previous_response_id):
            raise Conflict(
                f"response {wire.previous_response_id!r} is still being written", param="previous_response_id"
            )
        inputs = await self._kept.resolved(take_in(wire.input, stem), owner)
        prompt, offers = prompt_of(wire, [*await self._kept.history(wire, owner), *inputs])
        if not prompt.messages:
            raise InvalidRequest("there is nothing to answer: no text in 'input', and none before it", param="input")
        return inputs, prompt, offers

    def _started(
        self, wire: ResponseRequest, prompt: ChatPrompt, id: RequestId, model: str, caller: Caller
    ) -> EventStream:
        core = response_to_core(wire, prompt, id, model)
        if wire.truncation == "auto":
            return ShorteningStream(self._generation, core, caller, self._fits)
        return self._generation.generate([core], caller)

    def _is_stored(self, wire: ResponseRequest) -> bool:
        if wire.store is False:
            return False
        if not self._storage.is_usable and (wire.store or wire.background):
            raise self._storage.fault
        # A broken disk is no reason to leave somebody without an answer who never asked to have it kept
        return self._storage.is_usable

    def _run(self, owner: str, response_id: str) -> Run | None:
        run = self._runs.get(response_id)
        return run if run is not None and run.terms.owner == owner and run.terms.is_stored else None

    async def _keep(self, run: Run) -> None:
        """Write a response that is over; one that cannot be written was answered nevertheless."""
        if not run.terms.is_stored:
            return
        try:
            await self._kept.save(run.terms.owner, run.response, run.terms.inputs, run.frames)
        except ApplianceError as error:
            logger.error("response %s could not be kept: %s", run.id, error)


async def _stopped(run: Run) -> None:
    run.cancel()
    await asyncio.shield(run.task)


async def _sent_again(frames: Sequence[bytes]) -> AsyncGenerator[bytes, None]:
    if frames:
        yield b"".join(frames)

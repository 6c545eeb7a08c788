"""The responses of all callers: begun, followed while they are written, kept, told again, cancelled and deleted."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence

from msgspec.structs import replace

from appliance.core.caller import Caller
from appliance.core.request import ChatPrompt, RequestId
from appliance.dialects.responses.events import number_of
from appliance.dialects.responses.items import Item, take_in
from appliance.dialects.responses.prompt import prompt_of, response_to_core
from appliance.dialects.responses.request import PromptRequest, ResponseRequest, check, check_sources
from appliance.dialects.responses.response import Response, error_of, new_response
from appliance.dialects.responses.tools import Offers
from appliance.dialects.responses.writer import ResponseWriter
from appliance.errors import ApplianceError, Conflict, Draining, InvalidRequest, StorageError
from appliance.service.events import EventStream
from appliance.service.generate import Generation

from .kept import Asked, KeptResponses, Unfinished, interrupted
from .run import Run, Terms
from .shortening import Fits, ShorteningStream
from .storage import ResponseStorage

NUMBERS_OF_A_RUN = 1_000_000
"""More events than a response has. A run that is begun again goes on so much later: whoever has seen any number of the
one that was broken off, and asks for what comes after it, is told the new run from its beginning."""

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
        """Open the store, and begin again with what the last daemon did not end."""
        await self._storage.open()
        if self._storage.is_usable:
            try:
                for unfinished in await self._kept.recover():
                    await self._begin_again(unfinished)
            except StorageError as error:
                logger.error("what is kept of responses could not be looked through: %s", error)

    async def close(self) -> None:
        """Give up what is still being written, leave what is in the background to the next daemon, close the store."""
        runs = list(self._runs.values())
        for run in runs:
            if run.terms.is_background:
                run.leave(Draining(f"the daemon is stopping; response {run.id} begins again when it is back"))
            else:
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
        events = await self._started(wire, prompt, RequestId(stem), model, caller)
        if terms.is_background:
            try:
                await self._kept.save(owner, response, terms.inputs, asked=Asked(wire=wire, caller=caller))
            except BaseException:
                events.cancel()
                raise
        return self._begun(terms, ResponseWriter(response, wire, offers), events)

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
        return _sent_again(frames[max(0, after + 1 - number_of(frames[0])) :])

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

    async def _begin_again(self, unfinished: Unfinished) -> None:
        """Start a response anew under its id; one that cannot be started has failed. Raises: StorageError."""
        owner, response, asked = unfinished.owner, unfinished.response, unfinished.asked
        inputs = await self._kept.inputs(owner, response.id)
        try:
            if asked is None:
                raise interrupted()
            asked = replace(asked, num_restarts=asked.num_restarts + 1)
            await self._kept.save(owner, response, inputs, asked=asked)
            prompt, offers = prompt_of(asked.wire, [*await self._kept.history(asked.wire, owner), *inputs])
            core_id = RequestId(f"{response.id.partition('_')[2]}-{asked.num_restarts}")
            events = await self._started(asked.wire, prompt, core_id, response.model, asked.caller)
        except StorageError:
            raise
        except ApplianceError as error:
            await self._kept.save(owner, replace(response, status="failed", error=error_of(error)), inputs)
            logger.info("response %s could not begin again and has failed: %s", response.id, error)
            return
        terms = Terms(owner=owner, inputs=inputs, is_stored=True, is_background=True)
        self._begun(terms, ResponseWriter(response, asked.wire, offers, NUMBERS_OF_A_RUN * asked.num_restarts), events)
        logger.info("response %s, which the last daemon did not end, begins again", response.id)

    def _begun(self, terms: Terms, writer: ResponseWriter, events: EventStream) -> Run:
        run = Run(terms, writer, events, self._keep, self._now)
        self._runs[run.id] = run
        run.task.add_done_callback(lambda _: self._runs.pop(run.id, None))
        return run

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

    async def _started(
        self, wire: ResponseRequest, prompt: ChatPrompt, id: RequestId, model: str, caller: Caller
    ) -> EventStream:
        core = await self._generation.whole(response_to_core(wire, prompt, id, model), caller)
        events = (await self._generation.answer([core], caller)).events
        if wire.truncation == "auto":
            return ShorteningStream(events, self._generation, core, caller, self._fits)
        return events

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

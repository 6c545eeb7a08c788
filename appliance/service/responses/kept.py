"""Responses as they are kept: written, read again, and as the history of those that go on with them.

What belongs to another owner is not found. Every method raises StorageError, beside what it says.
"""

import logging
from collections.abc import Callable, Sequence

import msgspec
import zstandard

from appliance.core.caller import Caller
from appliance.dialects.responses.items import REFERENCE, Item
from appliance.dialects.responses.request import PromptRequest, ResponseRequest
from appliance.dialects.responses.response import Response, encode
from appliance.errors import (
    ConversationNotFound,
    Draining,
    ItemNotFound,
    PreviousResponseNotFound,
    ResponseNotFound,
)

from .storage import ResponseStorage
from .table import Entry, KeptTable

FRAME_END = b"\n\n"

logger = logging.getLogger(__name__)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to begin a response again: who asked for what, and how often it was begun again already."""

    wire: ResponseRequest
    caller: Caller
    num_restarts: int = 0


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """A response that the last daemon did not end. `asked` is None where it cannot be read any more."""

    owner: str
    response: Response
    asked: Asked | None


class KeptResponses:
    """The responses on disk."""

    def __init__(self, storage: ResponseStorage, now: Callable[[], float]) -> None:
        self._storage = storage
        self._now = now

    async def recover(self) -> list[Unfinished]:
        """Delete what is too old, and return what the last daemon was writing, the oldest first."""
        now_s = self._now()
        await self._storage.do(lambda table: table.sweep(now_s))
        rows = await self._storage.do(lambda table: table.unfinished())
        return [
            Unfinished(owner=owner, response=msgspec.json.decode(body, type=Response), asked=_asked(request))
            for owner, body, request in rows
        ]

    async def save(
        self,
        owner: str,
        response: Response,
        inputs: Sequence[Item],
        frames: Sequence[bytes] = (),
        asked: Asked | None = None,
    ) -> None:
        """Write a response in place of what it was. One that is whole goes into its conversation, too.

        One that has not ended is kept with what was asked, so that another daemon can begin it again.
        """
        outputs: list[Item] = [msgspec.json.decode(raw) for raw in response.output]
        conversation = response.conversation if response.status in ("completed", "incomplete") else None
        now_s = self._now()

        def save(table: KeptTable) -> None:
            entry = Entry(
                id=response.id,
                owner=owner,
                kind="response",
                status=response.status,
                body=encode(msgspec.structs.replace(response, output=())),
                previous_id=response.previous_response_id,
                log=zstandard.compress(b"".join(frames)) if frames else None,
                request=None if asked is None else msgspec.json.encode(asked),
            )
            table.save(entry, inputs, outputs, now_s)
            if conversation is not None:
                table.append(owner, conversation.id, [*inputs, *outputs], now_s)

        await self._storage.do(save)

    async def get(self, owner: str, response_id: str) -> Response:
        """Return a response. Raises: ResponseNotFound."""
        now_s = self._now()
        body, outputs = await self._storage.do(
            lambda table: (
                table.body(owner, "response", response_id, now_s),
                table.items(owner, "response", response_id, "out", now_s),
            )
        )
        if body is None or outputs is None:
            raise _not_found(response_id)
        response = msgspec.json.decode(body, type=Response)
        return msgspec.structs.replace(response, output=tuple(msgspec.Raw(encode(item)) for item in outputs))

    async def frames(self, owner: str, response_id: str) -> list[bytes]:
        """Return the events that were sent of a response, none where there was no stream. Raises: ResponseNotFound."""
        now_s = self._now()
        log = await self._storage.do(lambda table: table.log(owner, "response", response_id, now_s))
        if log is None:
            await self.get(owner, response_id)
            return []
        return [frame + FRAME_END for frame in zstandard.decompress(log).split(FRAME_END) if frame]

    async def inputs(self, owner: str, response_id: str) -> Sequence[Item]:
        """Return what came in for a response, the oldest first. Raises: ResponseNotFound."""
        now_s = self._now()
        items = await self._storage.do(lambda table: table.items(owner, "response", response_id, "in", now_s))
        if items is None:
            raise _not_found(response_id)
        return items

    async def delete(self, owner: str, response_id: str) -> None:
        """Delete a response. Raises: ResponseNotFound."""
        if not await self._storage.do(lambda table: table.delete(owner, "response", response_id)):
            raise _not_found(response_id)

    async def history(self, wire: PromptRequest, owner: str) -> Sequence[Item]:
        """Return all that was said before. Raises: PreviousResponseNotFound, ConversationNotFound."""
        now_s = self._now()
        previous_id, conversation_id = wire.previous_response_id, wire.conversation_id
        if conversation_id is not None:
            items = await self._storage.do(
                lambda table: table.items(owner, "conversation", conversation_id, "in", now_s)
            )
            if items is None:
                raise ConversationNotFound(f"there is no conversation {conversation_id!r}", param="conversation")
            return items
        if previous_id is None:
            return ()
        chain = await self._storage.do(lambda table: table.chain(owner, previous_id, now_s))
        if isinstance(chain, str):
            raise _no_previous(previous_id, chain)
        return chain

    async def resolved(self, items: Sequence[Item], owner: str) -> tuple[Item, ...]:
        """Return the items with those in place that were only referred to. Raises: ItemNotFound."""
        now_s = self._now()
        wanted = [item["id"] for item in items if item["type"] == REFERENCE]
        if not wanted:
            return tuple(items)
        found = await self._storage.do(
            lambda table: {item_id: table.find_item(owner, item_id, now_s) for item_id in wanted}
        )
        whole = []
        for item in items:
            known = found[item["id"]] if item["type"] == REFERENCE else item
            if known is None:
                raise ItemNotFound(f"there is no item {item['id']!r} to refer to", param="input")
            whole.append(known)
        return tuple(whole)


def interrupted() -> Draining:
    """Return why a response failed that a daemon did not finish."""
    return Draining("the daemon stopped while this response was being written; send it again")


def _asked(request: bytes | None) -> Asked | None:
    try:
        return None if request is None else msgspec.json.decode(request, type=Asked)
    except msgspec.DecodeError as error:
        logger.warning("a background response of another version cannot be begun again: %s", error)
        return None


def _not_found(response_id: str) -> ResponseNotFound:
    return ResponseNotFound(f"there is no response {response_id!r}: it was deleted, not stored, or is too old")


def _no_previous(asked: str, missing: str) -> PreviousResponseNotFound:
    behind = "" if missing == asked else f", which {asked!r} goes on with,"
    return PreviousResponseNotFound(
        f"response {missing!r}{behind} is not there: it was deleted, not stored, or is too old; send the items instead",
        param="previous_response_id",
    )

"""The conversations of all callers: made, looked at, added to and deleted.

What belongs to another owner is not found. Every method raises StorageError, beside what it says.
"""

import time
import uuid
from collections.abc import Callable, Sequence

import msgspec

from appliance.dialects.responses.conversations import Conversation, NewConversation
from appliance.dialects.responses.items import Item, take_in
from appliance.dialects.responses.response import encode
from appliance.errors import ConversationNotFound, InvalidRequest, ItemNotFound

from .kept import KeptResponses
from .storage import ResponseStorage
from .table import Entry

MAX_NEW_ITEMS = 20
"""Source: OpenAI's API reference, "Create a conversation" and "Create items": items that may be added at a time."""


class Conversations:
    """All conversations."""

    def __init__(self, storage: ResponseStorage, now: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._kept = KeptResponses(storage, now)
        self._now = now

    async def create(self, owner: str, wire: NewConversation) -> Conversation:
        """Return a new conversation. Raises: InvalidRequest, ItemNotFound."""
        items = await self._new_items(owner, wire.items or ())
        now_s = self._now()
        made = Conversation(id=f"conv_{uuid.uuid4().hex}", created_at=int(now_s), metadata=wire.metadata or {})
        entry = Entry(id=made.id, owner=owner, kind="conversation", status="", body=encode(made))
        await self._storage.do(lambda table: table.save(entry, items, (), now_s))
        return made

    async def get(self, owner: str, conversation_id: str) -> Conversation:
        """Return a conversation. Raises: ConversationNotFound."""
        now_s = self._now()
        body = await self._storage.do(lambda table: table.body(owner, "conversation", conversation_id, now_s))
        if body is None:
            raise _not_found(conversation_id)
        return msgspec.json.decode(body, type=Conversation)

    async def update(self, owner: str, conversation_id: str, metadata: dict[str, str]) -> Conversation:
        """Give a conversation other metadata. Raises: ConversationNotFound."""
        now_s = self._now()
        changed = msgspec.structs.replace(await self.get(owner, conversation_id), metadata=metadata)
        await self._storage.do(
            lambda table: table.change(owner, "conversation", conversation_id, encode(changed), now_s)
        )
        return changed

    async def delete(self, owner: str, conversation_id: str) -> None:
        """Delete a conversation with what was said. Raises: ConversationNotFound."""
        if not await self._storage.do(lambda table: table.delete(owner, "conversation", conversation_id)):
            raise _not_found(conversation_id)

    async def items(self, owner: str, conversation_id: str) -> Sequence[Item]:
        """Return what was said, the oldest first. Raises: ConversationNotFound."""
        now_s = self._now()
        items = await self._storage.do(lambda table: table.items(owner, "conversation", conversation_id, "in", now_s))
        if items is None:
            raise _not_found(conversation_id)
        return items

    async def item(self, owner: str, conversation_id: str, item_id: str) -> Item:
        """Return one item. Raises: ConversationNotFound, ItemNotFound."""
        for item in await self.items(owner, conversation_id):
            if item["id"] == item_id:
                return item
        raise _no_item(conversation_id, item_id)

    async def add(self, owner: str, conversation_id: str, wire: Sequence[Item]) -> Sequence[Item]:
        """Add to what was said and return it. Raises: ConversationNotFound, ItemNotFound, InvalidRequest."""
        items = await self._new_items(owner, wire)
        now_s = self._now()
        if not await self._storage.do(lambda table: table.append(owner, conversation_id, items, now_s)):
            raise _not_found(conversation_id)
        return items

    async def delete_item(self, owner: str, conversation_id: str, item_id: str) -> Conversation:
        """Delete one item and return its conversation. Raises: ConversationNotFound, ItemNotFound."""
        conversation = await self.get(owner, conversation_id)
        now_s = self._now()
        if not await self._storage.do(lambda table: table.delete_item(owner, conversation_id, item_id, now_s)):
            raise _no_item(conversation_id, item_id)
        return conversation

    async def _new_items(self, owner: str, wire: Sequence[Item]) -> Sequence[Item]:
        if len(wire) > MAX_NEW_ITEMS:
            raise InvalidRequest(f"'items' holds {len(wire)} items; at most {MAX_NEW_ITEMS} at a time", param="items")
        return await self._kept.resolved(take_in(wire, uuid.uuid4().hex, "items"), owner)


def _not_found(conversation_id: str) -> ConversationNotFound:
    return ConversationNotFound(f"there is no conversation {conversation_id!r}: it was deleted, or is too old")


def _no_item(conversation_id: str, item_id: str) -> ItemNotFound:
    return ItemNotFound(f"conversation {conversation_id!r} has no item {item_id!r}")

"""`/v1/conversations`: the bodies in and out."""

from typing import Any

import msgspec

from .request import Metadata


class NewConversation(msgspec.Struct, frozen=True, kw_only=True):
    """The body that makes a conversation."""

    items: list[dict[str, Any]] | None = None
    metadata: Metadata | None = None


class ConversationUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """The body that changes a conversation."""

    metadata: Metadata | None


class NewItems(msgspec.Struct, frozen=True, kw_only=True):
    """The body that adds to a conversation."""

    items: list[dict[str, Any]]


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation, without what was said."""

    id: str
    object: str = "conversation"
    created_at: int
    metadata: dict[str, str]


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """What is gone."""

    id: str
    object: str
    deleted: bool = True

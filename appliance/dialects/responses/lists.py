"""Lists of items, told a page at a time, from behind an item that the caller has seen."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from appliance.dialects.pages import check_limit, page_behind

from .items import Item

Order = Literal["asc", "desc"]


class ItemList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of items. An empty one has no first and no last."""

    object: str = "list"
    data: Sequence[Item]
    first_id: str
    last_id: str
    has_more: bool


def page_of(items: Sequence[Item], *, after: str | None, limit: int, order: Order) -> ItemList:
    """Return a page of `items`, which come the oldest first. Raises: InvalidRequest."""
    check_limit(limit)
    ordered = list(items) if order == "asc" else list(reversed(items))
    found, has_more = page_behind(after, ordered, limit, lambda item: item["id"], "item")
    return list_of(found, has_more=has_more)


def list_of(items: Sequence[Item], *, has_more: bool = False) -> ItemList:
    """Return `items` as a list."""
    first, last = (items[0]["id"], items[-1]["id"]) if items else ("", "")
    return ItemList(data=items, first_id=first, last_id=last, has_more=has_more)

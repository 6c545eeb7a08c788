"""Lists of items, told a page at a time, from behind an item that the caller has seen."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from appliance.errors import InvalidRequest

from .items import Item

MAX_PAGE_ITEMS = 100
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
    if not 1 <= limit <= MAX_PAGE_ITEMS:
        raise InvalidRequest(f"'limit' is {limit}; it is from 1 to {MAX_PAGE_ITEMS}", param="limit")
    ordered = list(items) if order == "asc" else list(reversed(items))
    start = 0
    if after is not None:
        ids = [item["id"] for item in ordered]
        if after not in ids:
            raise InvalidRequest(f"there is no item {after!r} in this list", param="after")
        start = ids.index(after) + 1
    return list_of(ordered[start : start + limit], has_more=start + limit < len(ordered))


def list_of(items: Sequence[Item], *, has_more: bool = False) -> ItemList:
    """Return `items` as a list."""
    first, last = (items[0]["id"], items[-1]["id"]) if items else ("", "")
    return ItemList(data=items, first_id=first, last_id=last, has_more=has_more)

"""Lists that are told a page at a time, from behind an item that the caller has seen. Pure."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from appliance.errors import InvalidRequest

MAX_PAGE = 100

T = TypeVar("T")


def check_limit(limit: int, max_items: int = MAX_PAGE) -> None:
    """Refuse a page of no length or of too much. Raises: InvalidRequest."""
    if not 1 <= limit <= max_items:
        raise InvalidRequest(f"'limit' is {limit}; it is from 1 to {max_items}", param="limit")


def page_behind(
    after: str | None, items: Sequence[T], limit: int, id_of: Callable[[T], str], what: str
) -> tuple[Sequence[T], bool]:
    """Return the items behind the one of id `after`, and whether there are more. Raises: InvalidRequest.

    `what` is the noun of the items.
    """
    start = 0
    if after is not None:
        ids = [id_of(item) for item in items]
        if after not in ids:
            raise InvalidRequest(f"there is no {what} {after!r} in this list", param="after")
        start = ids.index(after) + 1
    return items[start : start + limit], start + limit < len(items)

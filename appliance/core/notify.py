"""Notifications: who is told that a piece of work has ended, and what became of the telling."""

from typing import Literal, NewType

import msgspec

DeliveryId = NewType("DeliveryId", str)
TargetKind = Literal["webhook", "email", "ntfy"]
DeliveryState = Literal["pending", "delivered", "given_up"]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a notification goes: an URL, or an address of e-mail."""

    kind: TargetKind
    address: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One notification on its way to one target. Times are seconds since 1970.

    `subject` is the id of what has ended; `body` is emptied as soon as nobody is to be told any more. `reason` says why
    the last try failed.
    """

    id: DeliveryId
    subject: str
    event: str
    target: Target
    body: str
    created_s: float
    state: DeliveryState = "pending"
    num_tries: int = 0
    next_try_s: float = 0.0
    ended_s: float | None = None
    reason: str | None = None

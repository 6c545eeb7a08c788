"""Who is told that a task or a batch has ended, on the wire: the field `notify`, and what became of it."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from appliance.core.notify import Delivery, DeliveryState, Target, TargetKind

MAX_TARGETS = 8
_Address = Annotated[str, Meta(min_length=1, max_length=2000)]


class NotifyWire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told: any of an URL that gets a signed webhook, an address of e-mail, and the URL of a topic of ntfy."""

    webhook: _Address | None = None
    email: _Address | None = None
    ntfy: _Address | None = None


Notify = NotifyWire | Annotated[list[NotifyWire], Meta(max_length=MAX_TARGETS)] | None


class NotificationWire(msgspec.Struct, frozen=True, kw_only=True):
    """A notification: `pending` until its target has it or is given up, for the `reason` that the last try failed."""

    kind: TargetKind
    address: str
    status: DeliveryState
    num_tries: int = 0
    next_try_at: float | None = None
    ended_at: float | None = None
    reason: str | None = None


def targets_of(wire: Notify) -> tuple[Target, ...]:
    """Return the targets of a request, each once."""
    found = [
        Target(kind=kind, address=address)
        for each in (wire if isinstance(wire, list) else [wire or NotifyWire()])
        for kind, address in _named(each)
    ]
    return tuple(dict.fromkeys(found))


def notifications_wire(asked: Sequence[Target], deliveries: Sequence[Delivery]) -> list[NotificationWire]:
    """Return what became of the notifications that were asked for; the newest of each target counts."""
    newest = {delivery.target: delivery for delivery in deliveries}
    return [_wire(target, newest.get(target)) for target in asked]


def _named(wire: NotifyWire) -> list[tuple[TargetKind, str]]:
    fields: list[tuple[TargetKind, str | None]] = [
        ("webhook", wire.webhook),
        ("email", wire.email),
        ("ntfy", wire.ntfy),
    ]
    return [(kind, address) for kind, address in fields if address is not None]


def _wire(target: Target, delivery: Delivery | None) -> NotificationWire:
    if delivery is None:
        return NotificationWire(kind=target.kind, address=target.address, status="pending")
    return NotificationWire(
        kind=target.kind,
        address=target.address,
        status=delivery.state,
        num_tries=delivery.num_tries,
        next_try_at=delivery.next_try_s if delivery.state == "pending" and delivery.num_tries else None,
        ended_at=delivery.ended_s,
        reason=delivery.reason,
    )

"""What follows a try to deliver a notification. Pure; knows no clock, table or network."""

from msgspec.structs import replace

from appliance.core.notify import Delivery

MINUTE_S, HOUR_S = 60.0, 3600.0
PAUSES_S = (
    5.0,
    5 * MINUTE_S,
    30 * MINUTE_S,
    2 * HOUR_S,
    5 * HOUR_S,
    10 * HOUR_S,
    14 * HOUR_S,
    20 * HOUR_S,
    24 * HOUR_S,
)
"""After each try that failed; together three days.

Source: Standard Webhooks 1.0.0, "Deliverability and reliability": its example of a schedule; and "Delivery success and
failure", by which a receiver may ask for a longer pause.
"""


class DeliveryFailed(Exception):
    """A try failed. With `is_final` no other can succeed; `retry_after_s` is what the receiver asks for."""

    def __init__(self, reason: str, *, is_final: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_final = is_final
        self.retry_after_s = retry_after_s


def delivered(delivery: Delivery, now_s: float) -> Delivery:
    """Return the notification as it has arrived."""
    return replace(delivery, state="delivered", body="", reason=None, num_tries=delivery.num_tries + 1, ended_s=now_s)


def after_failure(delivery: Delivery, failure: DeliveryFailed, now_s: float, late_ratio: float) -> Delivery:
    """Return the notification as it waits for another try, or is given up.

    Each pause is longer by `late_ratio`, so that what failed together doesn't come back together. A receiver that asks
    for a longer one gets it, up to the longest of ours.
    """
    num_tries = delivery.num_tries + 1
    if failure.is_final or num_tries > len(PAUSES_S):
        return replace(delivery, state="given_up", body="", reason=failure.reason, num_tries=num_tries, ended_s=now_s)
    pause_s = max(PAUSES_S[num_tries - 1], min(failure.retry_after_s or 0.0, max(PAUSES_S)))
    next_try_s = now_s + pause_s * (1 + late_ratio)
    return replace(delivery, reason=failure.reason, num_tries=num_tries, next_try_s=next_try_s)

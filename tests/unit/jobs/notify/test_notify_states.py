"""What follows a try to deliver a notification."""

from itertools import pairwise

import pytest

from appliance.core.notify import Delivery, DeliveryId, Target
from appliance.jobs.notify import states
from appliance.jobs.notify.states import DeliveryFailed

DELIVERY = Delivery(
    id=DeliveryId("msg_1"),
    subject="task-1",
    event="task.done",
    target=Target(kind="webhook", address="https://a.example"),
    body="{}",
    created_s=0.0,
)
BUSY = DeliveryFailed("status 503")


def test_a_receiver_that_is_away_is_tried_for_three_days_and_then_given_up() -> None:
    delivery, now_s, tries_s = DELIVERY, 0.0, [0.0]
    while (delivery := states.after_failure(delivery, BUSY, now_s, 0.0)).state == "pending":
        tries_s.append(now_s := delivery.next_try_s)
    minutes, hours = 60, 3600
    pauses_s = [later - sooner for sooner, later in pairwise(tries_s)]
    assert pauses_s == [5, 5 * minutes, 30 * minutes, *(each * hours for each in (2, 5, 10, 14, 20, 24))]
    assert (delivery.state, delivery.num_tries, delivery.reason, delivery.body) == ("given_up", 10, "status 503", "")


def test_what_failed_together_does_not_come_back_together() -> None:
    assert states.after_failure(DELIVERY, BUSY, 100.0, 0.1).next_try_s == pytest.approx(105.5)


@pytest.mark.parametrize(("asked_s", "given_s"), [(None, 5.0), (1.0, 5.0), (600.0, 600.0), (7 * 86400.0, 86400.0)])
def test_a_receiver_may_ask_for_a_longer_pause(asked_s: float | None, given_s: float) -> None:
    busy = DeliveryFailed("status 429", retry_after_s=asked_s)
    assert states.after_failure(DELIVERY, busy, 0.0, 0.0).next_try_s == given_s


def test_a_receiver_that_is_gone_is_not_tried_again() -> None:
    delivery = states.after_failure(DELIVERY, DeliveryFailed("gone", is_final=True), 7.0, 0.0)
    assert (delivery.state, delivery.num_tries, delivery.ended_s) == ("given_up", 1, 7.0)


def test_what_has_arrived_keeps_no_content_and_no_reason() -> None:
    tried = states.after_failure(DELIVERY, BUSY, 0.0, 0.0)
    delivery = states.delivered(tried, 9.0)
    assert (delivery.state, delivery.num_tries, delivery.body, delivery.reason) == ("delivered", 2, "", None)

"""When models hold back: heat with room to cool before it ends, the battery, and the settings that forbid it."""

import pytest

from appliance.core.easing import FULL, Easing, Strain
from appliance.scheduler.easing import ease
from appliance.settings import PowerSettings

HOT = Easing(work_ratio=0.5, holds_batch=True, reason="hot")
WARM = Easing(work_ratio=0.75, holds_batch=True, reason="warm")


@pytest.mark.parametrize(
    ("strain", "before", "work_ratio"),
    [
        (Strain(), FULL, 1.0),
        (Strain(headroom_celsius=30), FULL, 1.0),
        (Strain(headroom_celsius=8), FULL, 0.75),
        (Strain(headroom_celsius=3), FULL, 0.5),
        (Strain(headroom_celsius=-2), WARM, 0.5),
        (Strain(headroom_celsius=8), HOT, 0.5),
        (Strain(headroom_celsius=10), HOT, 0.75),
        (Strain(headroom_celsius=14), WARM, 0.75),
        (Strain(headroom_celsius=15), WARM, 1.0),
        (Strain(headroom_celsius=40, is_throttled=True), FULL, 0.5),
        (Strain(power_source="mains", battery_ratio=0.1), FULL, 1.0),
        (Strain(power_source="battery", battery_ratio=0.9), FULL, 0.5),
        (Strain(power_source="battery"), FULL, 0.5),
        (Strain(power_source="battery", battery_ratio=0.2), FULL, 0.25),
        (Strain(headroom_celsius=7, power_source="battery", battery_ratio=0.2), FULL, 0.25),
    ],
)
def test_heat_and_battery_decide_how_hard_models_work(strain: Strain, before: Easing, work_ratio: float) -> None:
    eased = ease(strain, before, PowerSettings())
    assert eased.work_ratio == work_ratio
    assert (eased.reason == "") == eased.is_full == (not eased.holds_batch)


def test_the_reason_has_the_numbers() -> None:
    throttled = Strain(is_throttled=True, throttling=("the supply's voltage is too low",))
    assert "the supply's voltage is too low" in ease(throttled, FULL, PowerSettings()).reason
    assert "7 °C" in ease(Strain(headroom_celsius=7), FULL, PowerSettings()).reason
    assert "15% left" in ease(Strain(power_source="battery", battery_ratio=0.15), FULL, PowerSettings()).reason


def test_whoever_wants_full_force_has_it() -> None:
    strain = Strain(headroom_celsius=0, is_throttled=True, power_source="battery", battery_ratio=0.1)
    assert ease(strain, FULL, PowerSettings(when_hot="full", on_battery="full")) == FULL
    assert ease(strain, FULL, PowerSettings(on_battery="full")).work_ratio == 0.5
    assert ease(strain, FULL, PowerSettings(when_hot="full")).work_ratio == 0.25

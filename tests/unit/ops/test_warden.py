"""The warden between sensors and scheduler: it tells what changes, once, and says so in the log."""

import asyncio
import logging

import pytest

from appliance.core.easing import FULL, Easing, Strain
from appliance.ops.warden import Warden
from appliance.settings import PowerSettings


class Eased:
    """A scheduler that only takes in how hard to work."""

    def __init__(self) -> None:
        self.easing = FULL
        self.told: list[Easing] = []

    def ease(self, easing: Easing) -> None:
        self.easing = easing
        self.told.append(easing)


def test_only_changes_are_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    readings = [30.0, 7.0, 6.0, 2.0, 12.0, 30.0, 31.0]
    strains = iter([Strain(headroom_celsius=celsius) for celsius in readings])
    scheduler = Eased()
    warden = Warden(lambda: next(strains), scheduler, PowerSettings())

    async def look() -> None:
        for _ in readings:
            await warden.look()

    with caplog.at_level(logging.INFO, logger="appliance.ops.warden"):
        asyncio.run(look())
    assert [easing.work_ratio for easing in scheduler.told] == [0.75, 0.5, 0.75, 1.0]
    assert "75 %" in caplog.messages[0] and "7 °C" in caplog.messages[0]
    assert caplog.messages[-1] == "models work with full force again"

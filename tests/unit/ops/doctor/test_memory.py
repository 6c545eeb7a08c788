"""What the doctor says of memory that ran out."""

import msgspec

from appliance.ops.doctor.memory import shortages
from appliance.ops.shortages import Shortage
from tests.unit.ops.doctor.machines import healthy

DAY_S = 86400.0


def shortage(time_s: float) -> Shortage:
    return Shortage(time_s=time_s, model="qwen3:latest", measure="steps compute at most 256 tokens from now on")


def test_a_shortage_of_the_last_week_is_told_with_what_was_given_up() -> None:
    facts = healthy()
    assert facts.clock.now_s is not None
    now_s = facts.clock.now_s
    found = shortages(msgspec.structs.replace(facts, shortages=(shortage(now_s - 8 * DAY_S), shortage(now_s - DAY_S))))
    assert found is not None and not isinstance(found, tuple)
    assert found.state == "warning"
    assert "once" in found.title and "256 tokens" in (found.reason or "")


def test_what_is_long_past_is_not_told() -> None:
    facts = healthy()
    assert facts.clock.now_s is not None
    old = shortage(facts.clock.now_s - 8 * DAY_S)
    assert shortages(msgspec.structs.replace(facts, shortages=(old,))) is None

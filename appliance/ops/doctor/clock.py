"""Checks of the system's clock: certificates, logs and keep-alive depend on it."""

from appliance.core.doctor import Finding

from .facts import Check, Facts, Outcome

_TOLERANCE_S = 86400.0  # time zones of what unpacked an archive


def clock(facts: Facts) -> Outcome:
    """Say whether the time can be right."""
    now_s, installed_s = facts.clock.now_s, facts.clock.installed_s
    mend = facts.as_root("timedatectl set-ntp true")
    if now_s is not None and installed_s is not None and now_s < installed_s - _TOLERANCE_S:
        return Finding(
            check="clock",
            state="error",
            title="the system's clock is wrong: this software was put here in its future",
            reason="certificates look invalid at such a time, and the log's times mean nothing",
            mend=mend,
        )
    if facts.clock.is_synchronized is False:
        return Finding(
            check="clock",
            state="note",
            title="the system's clock is not synchronized",
            reason="it may drift by seconds a day",
            mend=mend,
        )
    return Finding(check="clock", state="ok", title="the clock is plausible") if now_s is not None else None


CHECKS: tuple[Check, ...] = (clock,)

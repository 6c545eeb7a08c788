"""Checks of the processor as it runs: clock, heat, supply, and what a control group leaves of it."""

from appliance.core.doctor import Finding

from .facts import Check, Facts, Outcome

# With these drivers "powersave" is the usual governor: the processor itself chooses its clock.
# Source: Documentation/admin-guide/pm/intel_pstate.rst and amd-pstate.rst of Linux.
_SELF_GOVERNING_DRIVERS = ("intel_pstate", "amd-pstate-epp")


def governor(facts: Facts) -> Outcome:
    """Say whether the clock is held at its lowest."""
    if facts.snapshot is None or facts.snapshot.processor.governor is None:
        return None
    governor, max_mhz = facts.snapshot.processor.governor, facts.snapshot.processor.max_mhz
    if governor != "powersave" or facts.scaling_driver in _SELF_GOVERNING_DRIVERS:
        return Finding(check="processor.governor", state="ok", title=f"the clock may rise (governor {governor})")
    now_mhz = facts.readings.cpu_mhz if facts.readings is not None else None
    clocks = f": {now_mhz:.0f} of {max_mhz:.0f} MHz" if now_mhz and max_mhz else ""
    return Finding(
        check="processor.governor",
        state="warning",
        title=f"the processor is held at its lowest clock{clocks}",
        reason="the governor 'powersave' never raises it, so models answer slowly",
        mend=f"echo performance | {facts.as_root('tee')} /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
    )


def throttling(facts: Facts) -> Outcome:
    """Say whether heat or a weak supply slows the processor."""
    if facts.readings is None or facts.readings.is_throttled is None:
        return None
    why = facts.readings.throttling
    if facts.readings.is_throttled:
        return Finding(
            check="processor.throttling",
            state="warning",
            title="the processor is slowed down at this moment",
            reason="; ".join(why) or "it does not say why: cooling and power supply are the usual causes",
        )
    if why:
        return Finding(
            check="processor.throttling",
            state="note",
            title="the processor was slowed down since the machine started",
            reason="; ".join(why),
        )
    return Finding(check="processor.throttling", state="ok", title="neither heat nor supply slows the processor")


def quota(facts: Facts) -> Outcome:
    """Say whether a control group leaves less than one core."""
    if facts.snapshot is None or facts.snapshot.processor.quota_cores is None:
        return None
    cores, container = facts.snapshot.processor.quota_cores, facts.snapshot.system.container
    if cores >= 1:
        return None
    return Finding(
        check="processor.quota",
        state="warning",
        title=f"only {cores:.2g} of a processor core may be used",
        reason=f"{container or 'a control group'} limits it, and every answer stops again and again",
        mend="docker update --cpus 2 CONTAINER" if container == "docker" else None,
    )


CHECKS: tuple[Check, ...] = (governor, throttling, quota)

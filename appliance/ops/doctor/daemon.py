"""Checks of the daemon itself: running, answering, ready, and looked after by systemd where it should be."""

import shlex

from appliance.core.doctor import Finding, Repair

from .facts import Check, Facts, Outcome

_LOG = "journalctl --unit appliance --lines 50 --no-pager"


def running(facts: Facts) -> Outcome:
    """Say whether the daemon runs, answers and is ready."""
    daemon = facts.daemon
    if daemon.problem is not None:
        return Finding(
            check="daemon",
            state="error",
            title=f"the daemon (process {daemon.process}) runs but does not answer",
            reason=daemon.problem,
            mend=facts.as_root(_LOG) if _has_unit(facts) else f"kill -9 {daemon.process}; appliance serve",
        )
    if daemon.is_ready is None:
        mend = facts.as_root("systemctl start appliance") if _has_unit(facts) else "appliance serve"
        return Finding(check="daemon", state="note", title="no daemon runs", mend=mend)
    if not daemon.is_ready:
        return Finding(
            check="daemon",
            state="warning",
            title="the daemon is not ready",
            reason=daemon.not_ready_reason,
            mend="appliance ps",
        )
    return Finding(check="daemon", state="ok", title="the daemon runs and is ready")


def leftovers(facts: Facts) -> Outcome:
    """Say whether a killed daemon left files by which commands would look for it."""
    if facts.daemon.process is not None or facts.daemon.is_ready is not None:
        return None
    return tuple(
        Finding(
            check="daemon.leftovers",
            state="note",
            title=f"{path} is left of a daemon that was killed",
            reason="commands look for the daemon where it was; the next start replaces it",
            mend=f"rm {shlex.quote(path)}",
            repair=Repair(kind="remove_file", path=path),
        )
        for path in facts.home.run_files
    )


def service(facts: Facts) -> Outcome:
    """Say whether systemd keeps our service running and starts it with the machine."""
    if facts.service is None:
        return None
    if facts.service.active_state == "failed":
        return Finding(
            check="service",
            state="error",
            title=f"the service appliance failed ({facts.service.result})",
            reason=f"its log says why: {facts.as_root(_LOG)}",
            mend=facts.as_root("systemctl restart appliance"),
        )
    if facts.service.unit_file_state != "enabled":
        return Finding(
            check="service",
            state="warning",
            title=f"the service appliance is {facts.service.unit_file_state or 'not installed'}",
            reason="it does not start with the machine",
            mend=facts.as_root("systemctl enable --now appliance"),
        )
    if facts.service.active_state not in ("active", "activating", "reloading"):
        return Finding(
            check="service",
            state="warning",
            title="the service appliance is stopped",
            mend=facts.as_root("systemctl start appliance"),
        )
    return Finding(check="service", state="ok", title="the service appliance is enabled and active")


def _has_unit(facts: Facts) -> bool:
    return facts.installation is not None and facts.installation.unit is not None


CHECKS: tuple[Check, ...] = (running, leftovers, service)

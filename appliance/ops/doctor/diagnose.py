"""All checks over one set of facts. Pure; a check that fails is itself a finding."""

from collections.abc import Iterator, Sequence

from appliance.core.doctor import STATES, Diagnosis, Finding

from . import accelerators, clock, daemon, disk, engine, folders, memory, models, network, processor, versions
from .facts import Check, Facts

CHECKS: tuple[Check, ...] = (
    *daemon.CHECKS,
    *folders.CHECKS,
    *network.CHECKS,
    *engine.CHECKS,
    *versions.CHECKS,
    *models.CHECKS,
    *memory.CHECKS,
    *disk.CHECKS,
    *processor.CHECKS,
    *accelerators.CHECKS,
    *clock.CHECKS,
)


def diagnose(facts: Facts, checks: Sequence[Check] = CHECKS) -> Diagnosis:
    """Return what all checks found, the worst first and else in the order of the checks."""
    found = [*_unseen(facts), *(finding for check in checks for finding in _run(check, facts))]
    found.sort(key=lambda finding: -STATES.index(finding.state))
    return Diagnosis(findings=tuple(found), worst=found[0].state if found else "ok")


def _unseen(facts: Facts) -> Iterator[Finding]:
    for part, reason in facts.failures:
        yield Finding(check="unchecked", state="note", title=f"{part} could not be checked", reason=reason)


def _run(check: Check, facts: Facts) -> tuple[Finding, ...]:
    try:
        outcome = check(facts)
    except Exception as error:  # one broken check must not hide what the others found
        name = f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
        reason = f"{type(error).__name__}: {error}"
        return (Finding(check="unchecked", state="note", title=f"{name} could not be checked", reason=reason),)
    if outcome is None:
        return ()
    return outcome if isinstance(outcome, tuple) else (outcome,)

"""Checks of versions that have to fit together: Python, the libraries, the daemon that runs and this command."""

import re
import shlex

from appliance.core.doctor import Finding

from .facts import Check, Facts, LibraryFacts, Outcome

_CLAUSE = re.compile(r"(==|>=|<)\s*([0-9][0-9.]*)")


def python(facts: Facts) -> Outcome:
    """Say whether this Python is one that the appliance supports."""
    if facts.requires_python is None:
        return None
    if satisfies(facts.python, facts.requires_python):
        return Finding(check="versions.python", state="ok", title=f"Python {facts.python} is supported")
    return Finding(
        check="versions.python",
        state="error",
        title=f"Python {facts.python} is not supported",
        reason=f"the appliance needs {facts.requires_python}",
        mend=facts.install_command,
    )


def libraries(facts: Facts) -> Outcome:
    """Say which libraries are missing or of another version than this one was tested with."""
    if facts.libraries is None:
        return Finding(
            check="versions.libraries",
            state="note",
            title="the appliance runs from a source tree",
            reason="without an installation it is not known which versions it needs",
        )
    wrong = [library for library in facts.libraries if not _fits(library)]
    if not wrong:
        return Finding(
            check="versions.libraries",
            state="ok",
            title=f"all {len(facts.libraries)} libraries have the right versions",
        )
    return Finding(
        check="versions.libraries",
        state="error",
        title=f"{', '.join(library.name for library in wrong)}: not the version that the appliance needs",
        reason="; ".join(f"{lib.name} {lib.installed or 'is missing'}, needed is {lib.specifier}" for lib in wrong),
        mend=facts.install_command or _pip_command(facts, wrong),
    )


def daemon(facts: Facts) -> Outcome:
    """Say whether the daemon that runs is still the one before an update."""
    if facts.daemon.version is None:
        return None
    if facts.daemon.version == facts.version:
        return Finding(check="versions.daemon", state="ok", title=f"daemon and command are both {facts.version}")
    service = facts.installation is not None and facts.installation.unit is not None
    stop = f"kill {facts.daemon.process}; " if facts.daemon.process else ""
    return Finding(
        check="versions.daemon",
        state="warning",
        title=f"the daemon that runs is {facts.daemon.version}, this command is {facts.version}",
        reason="the daemon was started before an update",
        mend=facts.as_root("systemctl restart appliance") if service else f"{stop}appliance serve",
    )


def satisfies(version: str, specifier: str) -> bool:
    """Return whether a version meets `>=3,<4`. Clauses of other kinds are not judged."""
    return all(_compare(version, operator, wanted) for operator, wanted in _CLAUSE.findall(specifier))


def _compare(version: str, operator: str, wanted: str) -> bool:
    have, want = _numbers(version), _numbers(wanted)
    length = max(len(have), len(want))
    left, right = have + (0,) * (length - len(have)), want + (0,) * (length - len(want))
    return left == right if operator == "==" else left >= right if operator == ">=" else left < right


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"[0-9.]+", version)
    return tuple(int(part) for part in release[0].split(".") if part) if release else ()


def _fits(library: LibraryFacts) -> bool:
    return library.installed is not None and satisfies(library.installed, library.specifier)


def _pip_command(facts: Facts, wrong: list[LibraryFacts]) -> str:
    wanted = " ".join(shlex.quote(library.name + library.specifier) for library in wrong)
    return f"{shlex.quote(facts.executable)} -m pip install {wanted}"


CHECKS: tuple[Check, ...] = (python, libraries, daemon)

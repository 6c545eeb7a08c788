"""`appliance doctor`: what is wrong with this machine, and the command that mends it."""

import argparse
import logging
import shutil
import sys
from collections import Counter
from collections.abc import Iterator

from appliance.core.doctor import Diagnosis, Finding, State
from appliance.errors import ApplianceError
from appliance.words import counted, tr
from appliance.words.width import fill, ljust

from . import doctor_clients
from .arguments import Group, add_command
from .config import read_settings
from .context import Context
from .exits import DONE, FAILED, REFUSED, WRONG_USAGE, CommandError, explain
from .output import print_json, printable

DESCRIPTION = """
Look over this machine and its appliance, and say what is wrong, why, and which command mends it. Without a daemon it
looks at the files; where APPLIANCE_URL names a daemon, that daemon looks at its own machine.

--fix makes the changes that lose nothing (modes, missing folders, files that a killed daemon left) and asks before each
one. It never deletes data, installs anything or needs root.

The exit code is 1 when there is an error, else 0, also with warnings.
"""
EXAMPLES = """
appliance doctor
appliance doctor --verbose     list what is fine, too
appliance doctor --fix         mend what is safe to mend, after asking
appliance doctor --fix --yes   the same without asking
appliance doctor --json
appliance doctor clients       which programs work with this box
"""
DAEMON_TIMEOUT_S = 10.0
_REMOTE_TIMEOUT_S = 60.0
_INDENT = 9


def register(group: Group) -> None:
    """Add the command."""
    parser = add_command(group, "doctor", _run, "find what is wrong, and mend it", DESCRIPTION, EXAMPLES)
    parser.add_argument("--verbose", action="store_true", help="list what is fine, too")
    parser.add_argument("--fix", action="store_true", help="make the changes that are safe, asking before each one")
    parser.add_argument("--yes", action="store_true", help="with --fix: do not ask")
    doctor_clients.register(parser.add_subparsers(title="more", metavar="COMMAND"))


def _run(arguments: argparse.Namespace, context: Context) -> int:
    if arguments.yes and not arguments.fix:
        raise CommandError(tr("--yes belongs to --fix"), WRONG_USAGE)
    if arguments.fix and context.names_daemon:
        raise CommandError(tr("--fix mends the machine it runs on; leave out APPLIANCE_URL there"), REFUSED)
    diagnosis = _diagnose(context)
    if arguments.fix and _fix(diagnosis, context, agrees_to_all=arguments.yes):
        diagnosis = _diagnose(context)
    if context.is_json:
        print_json(diagnosis)
    else:
        print("\n".join(_lines(diagnosis, arguments.verbose)))
    return FAILED if diagnosis.worst == "error" else DONE


def _diagnose(context: Context) -> Diagnosis:
    if context.names_daemon:
        return context.client(read_timeout_s=_REMOTE_TIMEOUT_S).doctor()
    # Imported here, as below: with a daemon that was named, nothing of it is needed.
    from appliance.ops.doctor.diagnose import diagnose
    from appliance.ops.doctor.gather import gather
    from appliance.ops.doctor.probes.daemon import look_at_daemon

    client = context.client(read_timeout_s=DAEMON_TIMEOUT_S)
    logging.disable(logging.CRITICAL)  # what is found is said once, as a finding
    try:
        facts = gather(
            context.home, lambda: read_settings(context).settings, lambda: look_at_daemon(context.home, client)
        )
    finally:
        logging.disable(logging.NOTSET)
    return diagnose(facts)


def _fix(diagnosis: Diagnosis, context: Context, *, agrees_to_all: bool) -> bool:
    """Make the changes that are agreed to and return whether there were any. It speaks on standard error."""
    from appliance.ops.doctor.repairs import carry_out, describe

    found = [(finding, finding.repair) for finding in diagnosis.findings if finding.repair is not None]
    if not found:
        _say(tr("--fix: there is nothing that it may mend.\n"))
        return False
    can_ask = sys.stdin.isatty() and sys.stderr.isatty()
    num_done = 0
    for finding, repair in found:
        what = printable(describe(repair))
        if not agrees_to_all and not can_ask:
            _say(tr("--fix would {what}", what=what))
            continue
        if not agrees_to_all and not _agrees(printable(finding.title), what):
            continue
        try:
            carry_out(repair, context.home)
        except (OSError, ApplianceError) as error:
            _say(tr("--fix could not {what}: {problem}", what=what, problem=explain(error)[0]))
        else:
            _say(tr("--fix: {what}: done", what=what))
            num_done += 1
    if not agrees_to_all and not can_ask:
        _say(tr("Nothing was changed: there is no terminal to ask on; add --yes to agree to all."))
    _say("")
    return num_done > 0


def _agrees(title: str, what: str) -> bool:
    _say(title)
    print(f"  {what}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _lines(diagnosis: Diagnosis, is_verbose: bool) -> Iterator[str]:
    shown = [finding for finding in diagnosis.findings if is_verbose or finding.state != "ok"]
    for finding in shown:
        yield from _finding(finding)
    if shown:
        yield ""
    yield _summary(diagnosis, is_verbose)


def _finding(finding: Finding) -> Iterator[str]:
    margin = " " * _INDENT
    yield from _wrapped(finding.title, ljust(tr(finding.state), _INDENT))
    if finding.reason:
        yield from _wrapped(finding.reason, margin)
    if finding.mend:
        yield f"{margin}$ {printable(finding.mend)}"  # in one line, to be copied


def _wrapped(text: str, first: str) -> list[str]:
    """Return lines as wide as the terminal. Paths and names stay whole: they are copied, too."""
    width = max(40, min(120, shutil.get_terminal_size((100, 24)).columns))
    margin = " " * _INDENT
    return fill(printable(text), width, initial_indent=first, subsequent_indent=margin, keeps_words=True).splitlines()


def _summary(diagnosis: Diagnosis, is_verbose: bool) -> str:
    counts = Counter(finding.state for finding in diagnosis.findings)
    said: dict[State, str] = {
        "error": counted(counts["error"], "1 error", "{number} errors"),
        "warning": counted(counts["warning"], "1 warning", "{number} warnings"),
        "note": counted(counts["note"], "1 note", "{number} notes"),
    }
    bad = [words for state, words in said.items() if counts[state]]
    fine = counted(counts["ok"], "1 check found nothing wrong", "{number} checks found nothing wrong")
    fine += "" if is_verbose else tr(" (--verbose lists them)")
    found = "; ".join([*([", ".join(bad)] if bad else []), fine])
    can_mend = any(finding.repair for finding in diagnosis.findings)
    return tr("{found}. --fix can mend some of it." if can_mend else "{found}.", found=found)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

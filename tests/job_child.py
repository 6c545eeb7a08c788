"""A job's child process that does what a test asks of it, and the kinds of jobs that run it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from appliance.child import Reporter, run_child
from appliance.core.jobs import JobKind
from appliance.errors import DoesNotFit

ENVIRONMENT = {"PATH": os.defpath, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}


GARBAGE = b'\xff\x00 no json\n{"type": "progress", "done": "far"}\n{"type": 1}\n[]\n' + b"x" * 3_000_000 + b"\n"


class Play(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the child is to do, in this order."""

    log: str = ""
    prints: str = ""
    garbage: bool = False
    num_progress: int = 0
    ignores_sigterm: bool = False
    starts_another: bool = False
    leaves_file: bool = False
    hangs: bool = False
    fails: str = ""
    crashes: bool = False
    exits: bool = False
    shows_settings: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        if self.num_progress < 0:
            raise ValueError("num_progress cannot be negative")


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What the child saw."""

    name: str
    files: tuple[str, ...]
    niceness: int


KINDS = (
    JobKind(name="play", module="tests.job_child", arguments=Play),
    JobKind(name="resumable", module="tests.job_child", arguments=Play, is_resumable=True),
    JobKind(
        name="networking",
        module="tests.job_child",
        arguments=Play,
        is_resumable=True,
        lane="network",
        shared_by=("name", "fails"),
    ),
    JobKind(
        name="idling", module="tests.job_child", arguments=Play, is_resumable=True, lane="idle", shared_by=("name",)
    ),
)


def play(arguments: Play, report: Reporter) -> Played:
    """Do what was asked."""
    files = tuple(sorted(path.name for path in report.folder.iterdir()))
    print(arguments.log, file=sys.stderr)
    print(arguments.prints)
    if arguments.garbage:
        report._events.write(
            b'\xff\x00 no json\n{"type": "progress", "done": "far"}\n{"type": 1}\n[]\n' + b"x" * 3_000_000 + b"\n"
        )
    for number in range(arguments.num_progress):
        # Past the reporter's own restraint, as a program that is not ours would do
        report._said_s = float("-inf")
        report.progress("counting", number + 1, arguments.num_progress, "steps")
    if arguments.ignores_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if arguments.leaves_file:
        (report.folder / "half").write_text("written")
    if arguments.starts_another:
        other = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
        report.progress(f"started {other.pid}")
    if arguments.hangs:
        report.progress("hanging", unit="steps")
        time.sleep(600)
    if arguments.exits:
        os._exit(7)
    if arguments.fails:
        raise DoesNotFit(arguments.fails)
    if arguments.crashes:
        raise ZeroDivisionError("by zero")
    name = report.settings.decode() if arguments.shows_settings else arguments.name
    return Played(name=name, files=files, niceness=os.getpriority(os.PRIO_PROCESS, 0))


if __name__ == "__main__":
    run_child(play, Play)

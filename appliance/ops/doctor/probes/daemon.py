"""The daemon of a state folder, as its files and its answers show it."""

from pathlib import Path

from appliance.client import Client, ClientError
from appliance.ops.doctor.facts import DaemonFacts


def look_at_daemon(home: Path, client: Client) -> DaemonFacts:
    """Return how the daemon of `home` is. Another one that answers at the usual address is not ours."""
    process = lock_holder(home)
    try:
        status = client.status()
    except ClientError as error:
        return DaemonFacts(process=process, problem=error.message if process is not None else None)
    if Path(status.home) != home:
        return DaemonFacts(process=process, problem=_other(status.home) if process is not None else None)
    return DaemonFacts(
        process=process,
        version=status.versions.appliance,
        is_ready=status.is_ready,
        not_ready_reason=status.not_ready_reason,
    )


def lock_holder(home: Path) -> int | None:
    """Return the process that holds the folder's lock. The kernel is asked: to try it could stop a daemon's start."""
    try:
        inode = (home / "run" / "daemon.lock").stat().st_ino
        return parse_locks(Path("/proc/locks").read_text(), inode)
    except OSError:
        return None


def parse_locks(text: str, inode: int) -> int | None:
    """Return the process that locked a file as a whole (flock), from the text of `/proc/locks`. Source: proc(5)."""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 8 and fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):
            return int(fields[4])
    return None


def _other(home: str) -> str:
    return f"at its address the daemon of {home} answers"

"""Which process of this user listens on a port, as `/proc` shows it. Those of others are theirs to see."""

from pathlib import Path

_LISTENS = "0A"
_TABLES = ("net/tcp", "net/tcp6")


def listener(port: int, proc: Path = Path("/proc")) -> str | None:
    """Return name and number of the process that listens on `port`; None where that cannot be told."""
    sockets = {f"socket:[{inode}]" for table in _TABLES for inode in parse_listeners(_read(proc / table), port)}
    if not sockets:
        return None
    for process in _folder(proc):
        if process.name.isdecimal() and any(_target(file) in sockets for file in _folder(process / "fd")):
            name = _read(process / "comm").strip()
            return f"{name} (process {process.name})" if name else f"process {process.name}"
    return None


def parse_listeners(text: str, port: int) -> tuple[int, ...]:
    """Return the inodes of the sockets that listen on `port`, from the text of `/proc/net/tcp`.

    Source: proc_pid_net(5).
    """
    rows = (line.split() for line in text.splitlines()[1:])
    return tuple(
        int(row[9])
        for row in rows
        if len(row) > 9 and row[3] == _LISTENS and row[1].endswith(f":{port:04X}") and row[9].isdecimal()
    )


def _folder(path: Path) -> list[Path]:
    try:
        return list(path.iterdir())
    except OSError:  # the process ended, or is another user's
        return []


def _target(file: Path) -> str | None:
    try:
        return str(file.readlink())
    except OSError:
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""

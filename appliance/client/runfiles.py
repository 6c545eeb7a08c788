"""The files by which those of this machine find a running daemon and may use it: `run/` under the home."""

from pathlib import Path

import msgspec

KEY_FILE = Path("run") / "local.key"
DAEMON_FILE = Path("run") / "daemon.json"


class DaemonFile(msgspec.Struct, frozen=True):
    """What a running daemon says of itself."""

    url: str
    pid: int | None = None


def local_url(home: Path) -> str | None:
    """Return where the daemon of this home listens, None where none says so."""
    try:
        return msgspec.json.decode((home / DAEMON_FILE).read_bytes(), type=DaemonFile).url
    except (OSError, msgspec.DecodeError):
        return None


def local_key(home: Path) -> str | None:
    """Return the key of the daemon of this home, None where there is none or it is not for this user."""
    try:
        return (home / KEY_FILE).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None

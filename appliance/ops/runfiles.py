"""The files by which those of this machine find this daemon: written as it starts, deleted as it ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from appliance.client.runfiles import DAEMON_FILE, KEY_FILE, DaemonFile


@contextmanager
def run_files(home: Path, url: str, local_secret: str) -> Iterator[None]:
    """Write both files, readable by the daemon's own user alone, and delete them at the end."""
    _write(home / KEY_FILE, local_secret.encode())
    _write(home / DAEMON_FILE, msgspec.json.encode(DaemonFile(url=url, pid=os.getpid())))
    try:
        yield
    finally:
        for file in (KEY_FILE, DAEMON_FILE):
            (home / file).unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    """A file that a killed daemon left may have other rights, so it is made anew."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)

"""Answer the few questions about this machine that a POSIX shell cannot; the installer's own, standard library only.

It knows nothing of the product: it runs before anything is installed.
"""

import hashlib
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path


def session(*command: str) -> None:
    """Become the command, as the leader of a session of its own that an interrupt reaches as a whole."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell ignores it in what it starts in the background
    os.execvp(command[0], command)  # noqa: S606 - the installer's own commands, and no shell wanted


def serve(user: str, log: str, pid_file: str, *command: str) -> None:
    """Start the daemon detached from this terminal, as `user` (empty: whoever runs this), and record its process id."""
    entry = pwd.getpwnam(user) if user else None
    with Path(log).open("ab") as output:
        daemon = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=entry.pw_uid if entry else None,
            group=entry.pw_gid if entry else None,
            extra_groups=os.getgrouplist(user, entry.pw_gid) if entry else None,
        )
    Path(pid_file).write_text(f"{daemon.pid}\n", encoding="ascii")


def port(settings_file: str) -> None:
    """Print the port that the daemon will use: from the environment, else the settings file, else 8484."""
    value = os.environ.get("APPLIANCE_SERVER__PORT")
    path = Path(settings_file)
    if value is None and path.exists():
        value = tomllib.loads(path.read_text(encoding="utf-8")).get("server", {}).get("port")
    _print(value or 8484)


def free_port() -> None:
    """Print a port that nothing listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _print(listener.getsockname()[1])


def is_free(number: str) -> None:
    """Succeed when nothing holds the port on loopback."""
    try:
        socket.create_server(("127.0.0.1", int(number))).close()
    except OSError:
        sys.exit(1)


def open_to_all() -> None:
    """Succeed when every user may run this Python (one in a private home folder could not serve the system's user)."""
    for file in (Path(sys.executable), Path(sys.executable).resolve(), Path(os.__file__).resolve()):
        if not all(folder.stat().st_mode & 0o001 for folder in file.parents):
            sys.exit(1)


def digest(*paths: str) -> None:
    """Print one checksum over the names and contents of all files below the paths, compiled Python left out."""
    total = hashlib.sha256()
    for path in map(Path, paths):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix != ".pyc":
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                total.update(f"{content} {file}\n".encode())
    _print(total.hexdigest())


def ready(url: str, timeout_s: str, pid: str = "") -> None:
    """Wait until `url` answers 200; fail after the timeout, or as soon as the process `pid` is gone."""
    deadline = time.monotonic() + float(timeout_s)
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - always http://127.0.0.1
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        if pid and not _is_running(int(pid)):
            sys.exit(f"the daemon (process {pid}) ended")
        time.sleep(0.1)
    sys.exit(f"{url} did not answer within {timeout_s} s")


def _is_running(pid: int) -> bool:
    try:
        ended, _ = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    else:
        return ended == 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _print(value: object) -> None:
    sys.stdout.write(f"{value}\n")


COMMANDS: dict[str, Callable[..., None]] = {
    "session": session,
    "serve": serve,
    "port": port,
    "free-port": free_port,
    "is-free": is_free,
    "open-to-all": open_to_all,
    "digest": digest,
    "ready": ready,
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])

"""The Python environment with the exporters, PyTorch among them: made when it is first needed, then kept.

It lies beside the product's own, never in it, under a name made from its lock. Built aside and renamed, so that one
that is there is whole. Who has such an environment already links it to `conversion/own`; that one is used as it is.
"""

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from appliance.child import Progress
from appliance.errors import ApplianceError, DoesNotFit

LOCK = Path(__file__).with_name("conversion_lock.txt")
_NEEDED_DISK_BYTES = 10 * 2**30  # measured: 4.9 GB installed, and what pip unpacks on the way
_LOG_LINES = 5
_OWN = "own"


def find_environment(home: Path, lock: Path = LOCK) -> Path:
    """Return where the environment is, or would be."""
    own = home / "conversion" / _OWN
    return own if own.is_dir() else home / "conversion" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]


def ensure_environment(home: Path, aside: Path, progress: Progress, lock: Path = LOCK) -> Path:
    """Return the environment's interpreter; make it in `aside`, on the same disk, if there is none yet.

    Raises: DoesNotFit, ApplianceError, with the last lines of what the installation said.
    """
    environment = find_environment(home, lock)
    if not environment.is_dir():
        free_bytes = shutil.disk_usage(aside.parent).free
        if free_bytes < _NEEDED_DISK_BYTES:
            raise DoesNotFit(
                f"the conversion environment needs {_NEEDED_DISK_BYTES / 2**30:.0f} GiB on the disk of {home}, "
                f"{free_bytes / 2**30:.1f} GiB are free; free some, or link an environment that has them to "
                f"{home / 'conversion' / _OWN}"
            )
        _install(aside, lock, progress)
        environment.parent.mkdir(parents=True, exist_ok=True)
        aside.rename(environment)
        for older in environment.parent.iterdir():
            if older not in (environment, environment.parent / _OWN):
                shutil.rmtree(older, ignore_errors=True)
    return environment / "bin" / "python"


def _install(folder: Path, lock: Path, progress: Progress) -> None:
    progress("making the conversion environment", 0.0, None, "ratio")
    _run([sys.executable, "-m", "venv", str(folder)], lambda: None)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--no-input"]
    pip += ["--no-cache-dir", "--only-binary=:all:", "--require-hashes", "--quiet", "-r", str(lock)]
    started_s = time.monotonic()

    def tell() -> None:
        text = f"installing the exporters, {time.monotonic() - started_s:.0f} s"
        progress(text, float(_size_bytes(folder.parent)), None, "bytes")

    _run(pip, tell)


def _run(command: list[str], tell: Callable[[], None]) -> None:
    """Run a program of the installation to its end, telling how far it is every other second."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        while True:
            try:
                output, _ = child.communicate(timeout=2)
                break
            except subprocess.TimeoutExpired:
                tell()
    if child.returncode != 0:
        lines = output.decode(errors="replace").strip().splitlines()[-_LOG_LINES:]
        raise ApplianceError("the conversion environment could not be made: " + " / ".join(lines))


def _size_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size
        except OSError:
            continue  # pip renames while we look
    return total

"""Runs Python in a child process for a backend: a library or a driver that crashes takes nobody with it."""

import signal
import subprocess
import sys
from collections.abc import Sequence

from appliance.errors import BackendError


def ask_child(library: str, arguments: Sequence[str], timeout_s: float) -> bytes:
    """Return what our interpreter printed when started with `arguments`, such as `-m` and a module.

    Raises: BackendError, in which `library` is the one that failed, crashed or took too long.
    """
    try:
        child = subprocess.run(
            # -P: a folder named as a package of ours, in the folder that the daemon was started in, is not taken for it
            [sys.executable, "-P", *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BackendError(f"{library} did not answer within {timeout_s:.0f} s") from None
    except OSError as error:
        raise BackendError(f"{library} could not be started: {error.strerror}") from None
    if child.returncode == -signal.SIGILL:
        raise BackendError(f"{library} ended with an illegal instruction: it was compiled for another processor")
    if child.returncode < 0:
        raise BackendError(f"{library} was ended by signal {-child.returncode}")
    if child.returncode != 0:
        lines = child.stderr.decode(errors="replace").strip().splitlines()
        raise BackendError(f"{library} failed: {lines[-1] if lines else f'exit {child.returncode}'}")
    return child.stdout

"""Runs a program of this backend in a child process: a library or a driver that crashes takes nobody with it."""

import signal
import subprocess
import sys

from appliance.errors import BackendError


def run_child(program: str, arguments: tuple[str, ...], timeout_s: float) -> bytes:
    """Return what the module `program` printed. Raises: BackendError, when it fails, crashes or takes too long."""
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", program, *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BackendError(f"onnxruntime did not answer within {timeout_s:.0f} s") from None
    except OSError as error:
        raise BackendError(f"onnxruntime could not be started: {error.strerror}") from None
    if child.returncode == -signal.SIGILL:
        raise BackendError("onnxruntime ended with an illegal instruction")
    if child.returncode < 0:
        raise BackendError(f"onnxruntime was ended by signal {-child.returncode}")
    if child.returncode != 0:
        lines = child.stderr.decode(errors="replace").strip().splitlines()
        raise BackendError(lines[-1] if lines else f"onnxruntime does not start: exit {child.returncode}")
    return child.stdout

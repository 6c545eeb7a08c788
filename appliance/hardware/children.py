"""Starts a module of ours as a child process that is stopped with all it started, whatever it does.

A driver that hangs then hangs a child that nobody waits for, not the daemon.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import msgspec

_AFTER_KILL_S = 0.5
_MAX_OUTPUT_CHARACTERS = 1024 * 1024


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a child wrote until it ended or was stopped. `error` is the last line of its standard error."""

    output: str
    error: str
    is_timeout: bool
    exit_code: int | None


def run_child(module: str, arguments: list[str], timeout_s: float) -> Outcome:
    """Run a module with our own interpreter; after `timeout_s` kill its process group and return what it wrote."""
    # -P: a folder named as a package of ours, in the folder that the daemon was started in, is not taken for it
    command = [sys.executable, "-P", "-m", module, *arguments]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        return Outcome(output="", error=str(error), is_timeout=False, exit_code=None)
    output, errors, is_timeout = _communicate(process, timeout_s)
    lines = errors.decode(errors="replace").strip().splitlines()
    return Outcome(
        output=output.decode(errors="replace")[:_MAX_OUTPUT_CHARACTERS],
        error=lines[-1] if lines else "",
        is_timeout=is_timeout,
        exit_code=process.returncode,
    )


def _communicate(process: subprocess.Popen[bytes], timeout_s: float) -> tuple[bytes, bytes, bool]:
    try:
        return (*process.communicate(timeout=timeout_s), False)
    except subprocess.TimeoutExpired:
        pass
    _kill_group(process.pid)
    try:
        return (*process.communicate(timeout=_AFTER_KILL_S), True)
    except subprocess.TimeoutExpired as expired:
        # It waits inside the kernel, where no signal reaches it; it goes when the driver lets go of it.
        _close_pipes(process)
        return expired.output or b"", expired.stderr or b"", True


def _kill_group(group_id: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group_id, signal.SIGKILL)


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()

"""A worker's process: starts it, listens to it, ends it, and says why it ended. Knows no model's state, no request."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from appliance.core.messages import FromWorker, Stop, ToWorker

from .channel import Channel

logger = logging.getLogger(__name__)

WORKER_MODULE = "appliance.engine.worker"
VOCABULARY_MODULE = "appliance.engine.vocabulary_worker"
BASE_ENVIRON: Mapping[str, str] = {"PATH": os.defpath, "LANG": "C.UTF-8"}
TUNING: Mapping[str, str] = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""What a process must find when it starts, unless the operator says otherwise.

Large pages for large blocks of memory: a token reads all weights, and looking up where each 4 KiB of them lie takes
time. Measured with 0.5B parameters in Q4_0 on a virtual machine: 11.1 for 12.3 ms a token, no difference in larger
steps. Source: the GNU C library's manual, "Memory Allocation Tunables".
"""

REAP_TIMEOUT_S = 5.0
"""How long a worker that closed its socket may take to end by itself: libraries free large maps slowly."""

_LEVELS = logging.getLevelNamesMapping()
_READ_BYTES = 2**16


def worker_command(fd: int, module: str = WORKER_MODULE) -> list[str]:
    """Return the command of a worker that finds its socket at `fd`.

    `-P` keeps the current folder off the module path, where a folder named `models` would shadow ours.
    """
    return [sys.executable, "-P", "-m", module, "--fd", str(fd)]


def describe_exit(returncode: int, last_line: str | None) -> str:
    """Return why a process ended, in words that continue "the worker …"."""
    if returncode < 0:
        try:
            name = signal.Signals(-returncode).name
        except ValueError:
            name = f"signal {-returncode}"
        cause = "was killed (SIGKILL; out of memory?)" if name == "SIGKILL" else f"was ended by {name}"
    else:
        cause = f"exited with code {returncode}"
    return f"{cause}: {last_line}" if last_line else cause


class WorkerProcess:
    """One worker. Its callbacks run on the event loop; `on_exit` is the last of them and is called once."""

    @classmethod
    def spawn(
        cls,
        model: str,
        on_messages: Callable[[list[FromWorker]], None],
        on_exit: Callable[[str], None],
        *,
        environ: Mapping[str, str] = BASE_ENVIRON,
        command: Callable[[int], list[str]] = worker_command,
    ) -> "WorkerProcess":
        """Start a worker for `model` with no more environment than `environ` and `TUNING`. Raises: OSError."""
        ours, theirs = socket.socketpair()
        try:
            process = subprocess.Popen(
                command(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=Path("/"),
                env={**TUNING, **environ},
                # Ctrl-C at the daemon's terminal must not reach the worker: the daemon drains first.
                start_new_session=True,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(model, process, ours, on_messages, on_exit)

    def __init__(
        self,
        model: str,
        process: subprocess.Popen[bytes],
        connection: socket.socket,
        on_messages: Callable[[list[FromWorker]], None],
        on_exit: Callable[[str], None],
    ) -> None:
        """Take over a started process; `spawn` is the way to have one."""
        assert process.stderr is not None
        self._process = process
        self._on_exit = on_exit
        self._stderr = _StderrLog(model, process.stderr)
        self._channel = Channel(connection, on_messages, self._on_closed)
        self._timers: list[asyncio.TimerHandle] = []
        self._reaper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Return the process id, which is also the id of the worker's process group."""
        return self._process.pid

    def send(self, messages: Sequence[ToWorker]) -> None:
        """Send one frame; does nothing once the worker is gone."""
        self._channel.send(messages)

    def terminate(self, grace_s: float) -> None:
        """Ask the worker to stop; after `grace_s` send SIGTERM, after as long again kill its process group."""
        self._channel.send([Stop()])
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(grace_s, self._insist, signal.SIGTERM))
        self._timers.append(loop.call_later(2 * grace_s, self._insist, signal.SIGKILL))

    def _insist(self, number: signal.Signals) -> None:
        logger.warning("worker %d does not stop: sending %s", self.pid, number.name)
        self._signal(number)

    def _signal(self, number: signal.Signals) -> None:
        # The group can be gone already: the worker ends on its own while we decide.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _on_closed(self, fault: str | None) -> None:
        self._reaper = asyncio.get_running_loop().create_task(self._reap(fault))

    async def _reap(self, fault: str | None) -> None:
        if fault is not None:
            self._signal(signal.SIGKILL)
        try:
            returncode = await asyncio.to_thread(self._process.wait, REAP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            fault = f"closed its socket and did not end within {REAP_TIMEOUT_S:g} s"
            self._signal(signal.SIGKILL)
            returncode = await asyncio.to_thread(self._process.wait)
        for timer in self._timers:
            timer.cancel()
        self._stderr.close()
        self._on_exit(fault or describe_exit(returncode, self._stderr.last_line))


class _StderrLog:
    """Routes what a worker writes to stderr to the log, line by line, and keeps the last one that may be a cause.

    The worker's own lines begin with their level; whatever else appears there, a library wrote on its way out.
    """

    def __init__(self, model: str, pipe: IO[bytes]) -> None:
        self._model = model
        self._pipe = pipe
        self._rest = b""
        self.last_line: str | None = None
        os.set_blocking(pipe.fileno(), False)
        asyncio.get_running_loop().add_reader(pipe, self._read)

    def close(self) -> None:
        """Read what is left without waiting for more: a grandchild may hold the pipe open."""
        while not self._pipe.closed and self._read():
            pass
        self._end()

    def _read(self) -> bool:
        try:
            data = os.read(self._pipe.fileno(), _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._end()
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._keep(line)
        return True

    def _end(self) -> None:
        if not self._pipe.closed:
            asyncio.get_running_loop().remove_reader(self._pipe)
            self._pipe.close()
            self._keep(self._rest)

    def _keep(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        if not text:
            return
        name, _, rest = text.partition(" ")
        level = _LEVELS.get(name)
        if level is None:
            level, rest = logging.INFO, text
        if name not in _LEVELS or level > logging.INFO:
            self.last_line = rest
        logger.log(level, "%s: %s", self._model, rest)

"""The process of one job: started, listened to, stopped and ended with all it started. Knows no table and no queue."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from appliance.core.events import ErrorInfo
from appliance.core.jobs import ChildError, ChildResult, JobError, JobOrder, JobProgress
from appliance.link.process import describe_exit

from .lines import LineSplitter, LogTail, read_event
from .marked import MARK, kill_marked

GRACE_S = 5.0
"""How long a process may take to end after SIGTERM."""
PROGRESS_EVERY_S = 0.2
PIPES_TIMEOUT_S = 5.0

_READ_BYTES = 2**16
_OUT_OF_MEMORY_SCORE = b"500"

logger = logging.getLogger(__name__)


class JobProcess:
    """Runs `module` once. `stop`, `pause` and `resume` may be called at any time; all on the event loop."""

    def __init__(
        self,
        module: str,
        order: JobOrder,
        *,
        environ: Mapping[str, str],
        niceness: int,
        on_progress: Callable[[JobProgress], None],
    ) -> None:
        self._module = module
        self._order = order
        self._environ = environ
        self._niceness = niceness
        self._on_progress = on_progress
        self._process: asyncio.subprocess.Process | None = None
        self._is_stopping = self._is_paused = False
        self._log = LogTail()
        self._last: ChildResult | ChildError | None = None
        self._progress: JobProgress | None = None
        self._telling: asyncio.TimerHandle | None = None
        self._killing: asyncio.TimerHandle | None = None

    async def run(self) -> ChildResult | JobError:
        """Run to the end and return what came out. A result that was sent counts, however the process ended then."""
        if self._is_stopping:
            return JobError(message="it was stopped before it began")
        try:
            self._process = process = await self._spawn()
        except OSError as error:
            return JobError(message=f"its process could not be started: {error.strerror}")
        listening = asyncio.gather(self._send_order(process), self._listen(process), self._read_log(process))
        try:
            self._be_humble(process.pid)
            self._apply()
            await process.wait()
        finally:
            await self._end(process, listening)
        return self._outcome(process.returncode or 0)

    def stop(self) -> None:
        """Ask the process to end; kill it when it does not."""
        self._is_stopping = True
        self._apply()

    def pause(self) -> None:
        """Halt the process and all it started."""
        self._is_paused = True
        self._apply()

    def resume(self) -> None:
        """Let the process go on."""
        self._is_paused = False
        self._apply()

    async def _spawn(self) -> asyncio.subprocess.Process:
        marks = {MARK: self._order.id, "TMPDIR": self._order.folder}
        return await asyncio.create_subprocess_exec(
            # -P: a folder named as a package of ours, in the folder the process works in, is not taken for it
            *(sys.executable, "-P", "-m", self._module),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=Path(self._order.folder),
            env={**self._environ, **marks},
            start_new_session=True,
        )

    def _apply(self) -> None:
        """Bring the process to what was asked of it, which may have been before it was there."""
        if self._process is None or self._process.returncode is not None:
            return
        if self._is_stopping and self._killing is None:
            self._signal(signal.SIGTERM)
            self._killing = asyncio.get_running_loop().call_later(GRACE_S, self._signal, signal.SIGKILL)
        # A halted process hears SIGTERM only when it goes on
        self._signal(signal.SIGSTOP if self._is_paused and not self._is_stopping else signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _be_humble(self, pid: int) -> None:
        """Let serving go first: for the processor, and when the kernel looks for memory."""
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, self._niceness)
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/oom_score_adj").write_bytes(_OUT_OF_MEMORY_SCORE)

    async def _send_order(self, process: asyncio.subprocess.Process) -> None:
        """Write the order and leave the pipe open: its end is how the child learns that the daemon died."""
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.write(msgspec.json.encode(self._order) + b"\n")
            await process.stdin.drain()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        splitter = LineSplitter()
        while data := await process.stdout.read(_READ_BYTES):
            for line in splitter.feed(data):
                self._take(line)
        self._take(splitter.finish())

    async def _read_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        splitter = LineSplitter()
        while data := await process.stderr.read(_READ_BYTES):
            for line in splitter.feed(data):
                self._log.add(line)
        self._log.add(splitter.finish())

    def _take(self, line: bytes) -> None:
        event = read_event(line)
        if event is None:
            self._log.add(line)
        elif isinstance(event, JobProgress):
            self._progress = event
            if self._telling is None:
                self._tell()
        else:
            self._last = event

    def _tell(self) -> None:
        """Pass the newest progress on, and then be silent for a moment: of thousands of events only some are told."""
        self._telling = None
        if self._progress is not None:
            progress, self._progress = self._progress, None
            self._telling = asyncio.get_running_loop().call_later(PROGRESS_EVERY_S, self._tell)
            self._on_progress(progress)

    async def _end(
        self, process: asyncio.subprocess.Process, listening: asyncio.Future[tuple[None, None, None]]
    ) -> None:
        """Leave nothing behind: neither what the process started, nor timers, nor pipes."""
        self._signal(signal.SIGKILL)
        if self._killing is not None:
            self._killing.cancel()
        await asyncio.to_thread(kill_marked, frozenset({self._order.id}))
        await process.wait()
        try:
            await asyncio.wait_for(listening, PIPES_TIMEOUT_S)
        except TimeoutError:
            logger.warning("job %s: a process that it started does not let go of its output", self._order.id)
        if process.stdin is not None:
            process.stdin.close()
        if self._telling is not None:
            self._telling.cancel()
        self._tell()
        if self._telling is not None:
            self._telling.cancel()

    def _outcome(self, returncode: int) -> ChildResult | JobError:
        if isinstance(self._last, ChildResult):
            return self._last
        if self._last is not None:
            return _to_error(self._last.error, self._log)
        lines = self._log.lines
        if returncode == 0:
            return JobError(message="its process ended without a result", log=lines)
        return JobError(message=f"its process {describe_exit(returncode, lines[-1] if lines else None)}", log=lines)


def _to_error(error: ErrorInfo, log: LogTail) -> JobError:
    return JobError(message=error.message, kind=error.kind, log=log.lines)

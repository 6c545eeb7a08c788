"""The processes of a job, also those that outlived the daemon that started them: found by a mark they inherit."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import psutil

from appliance.core.jobs import JobId

MARK = "APPLIANCE_JOB"
"""The variable in the environment of a job's processes that holds the job's id."""


def kill_marked(job_ids: frozenset[JobId]) -> int:
    """Kill every process that belongs to one of the jobs and return how many there were."""
    found = [process for process in _marked(job_ids) if process.pid != os.getpid()]
    for process in found:
        with suppress(psutil.Error):
            process.send_signal(signal.SIGKILL)
    return len(found)


def _marked(job_ids: frozenset[JobId]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        # Of other users' processes, and of those that are just ending, nothing can be read
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK) in job_ids:
                yield process

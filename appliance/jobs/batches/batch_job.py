"""The child process of the job `batch`: checks the input, asks several requests at once, and writes what comes back.

Killed and started again it goes on: what has a line in a result file is not asked again.
"""

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Lock

import msgspec

from appliance.child import Reporter, run_child
from appliance.client.runfiles import DAEMON_FILE, local_key, local_url
from appliance.client.transport import NoDaemon, Transport
from appliance.core.batches import BatchCounts, BatchOrder, BatchOutcome, BatchTuning
from appliance.core.jobs import JobProgress
from appliance.errors import StorageError
from models.fetch.window import Window
from models.files import replace_atomically

from .asking import Asker
from .lines import Entry, Input, in_order, read_input, read_line
from .results import Problem, Result, ResultFiles

READ_TIMEOUT_S = 24 * 3600.0
"""An answer may wait long: everybody else goes first."""
WINDOW_CHECK_S = 30.0
"""The clock is looked at so often: it may be set meanwhile."""


def work(order: BatchOrder, report: Reporter) -> BatchOutcome:
    """Do the job. Raises: ApplianceError."""
    folder = Path(order.output_folder)
    if (known := _read_outcome(folder)) is not None:
        return known
    report.progress("checking the input")
    try:
        found = read_input(Path(order.input_path), order.endpoint)
    except OSError as error:
        raise StorageError(f"the input file cannot be read: {error.strerror}") from error
    outcome = BatchOutcome(counts=BatchCounts(), faults=found.faults)
    if not found.faults:
        outcome = answer(order, found, report)
    _write_outcome(folder, outcome)
    return outcome


def answer(order: BatchOrder, found: Input, report: Reporter) -> BatchOutcome:
    """Ask all that has no line yet, and return what became of them."""
    tuning = msgspec.json.decode(report.settings, type=BatchTuning)
    results = ResultFiles(Path(order.output_folder))
    entries = [entry for entry in in_order(found.entries) if entry.custom_id not in results.answered | results.refused]
    crew = _Crew(order, tuning, results, report, len(found.entries))
    try:
        is_expired = crew.work_off(entries)
    finally:
        results.close()
    return BatchOutcome(counts=crew.counts, is_expired=is_expired)


class _Crew:
    """Threads that take one request after the other, while it is the time for that."""

    def __init__(
        self, order: BatchOrder, tuning: BatchTuning, results: ResultFiles, report: Reporter, num_requests: int
    ) -> None:
        self._order = order
        self._num_threads = tuning.max_at_once
        self._window = None if tuning.window is None else Window.parse(tuning.window)
        self._results = results
        self._report = report
        self._num_requests = num_requests
        self._asker = Asker(_transport(report.home, order.caller), order.endpoint)
        self._guard = Lock()
        self._left: deque[Entry] = deque()

    @property
    def counts(self) -> BatchCounts:
        """How many there are, and how many have a line."""
        answered, refused = len(self._results.answered), len(self._results.refused)
        return BatchCounts(total=self._num_requests, completed=answered, failed=refused)

    def work_off(self, entries: list[Entry]) -> bool:
        """Ask all of them, and return whether the time was over before that; what is left gets a line that says so."""
        self._left.extend(entries)
        with ThreadPoolExecutor(self._num_threads) as pool:
            for worker in [pool.submit(self._take_turns) for _ in range(self._num_threads)]:
                worker.result()
        for entry in self._left:
            problem = Problem(code="batch_expired", message="the batch expired before this request was asked")
            self._results.add(Result(id="batch_req_none", custom_id=entry.custom_id, response=None, error=problem))
        return bool(self._left)

    def _take_turns(self) -> None:
        with Path(self._order.input_path).open("rb") as stream:
            while self._waits_for_its_hour() and (entry := self._next()):
                line = read_line(stream, entry)
                self._results.add(self._asker.ask(line.custom_id, line.body))
                self._tell("asking")

    def _next(self) -> Entry | None:
        with self._guard:
            return self._left.popleft() if self._left else None

    def _waits_for_its_hour(self) -> bool:
        """Return once the window is open; False when the batch has expired."""
        while self._left and time.time() < self._order.expires_s:
            now = datetime.now()
            opens = None if self._window is None else self._window.opens_at(now)
            if opens is None:
                return True
            self._tell(f"waiting for {opens:%H:%M} (jobs.batch_window)")
            time.sleep(min(WINDOW_CHECK_S, (opens - now).total_seconds()))
        return False

    def _tell(self, text: str) -> None:
        counts = self.counts
        with self._guard:
            self._report.tell(
                JobProgress(
                    text=text,
                    done=counts.completed + counts.failed,
                    total=counts.total,
                    unit="requests",
                    num_failed=counts.failed,
                )
            )


def _transport(home: Path, caller: str) -> Transport:
    """Return the way to our own daemon, in the name of the batch's caller."""
    url = local_url(home)
    if url is None:
        raise NoDaemon(f"no daemon says in {home / DAEMON_FILE} where it listens")
    return Transport(url, local_key(home), READ_TIMEOUT_S, on_behalf_of=caller)


def _read_outcome(folder: Path) -> BatchOutcome | None:
    try:
        return msgspec.json.decode(_outcome_path(folder).read_bytes(), type=BatchOutcome)
    except FileNotFoundError:
        return None


def _write_outcome(folder: Path, outcome: BatchOutcome) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with replace_atomically(_outcome_path(folder)) as stream:
        stream.write(msgspec.json.encode(outcome))


def _outcome_path(folder: Path) -> Path:
    return folder / "outcome.json"


if __name__ == "__main__":
    run_child(work, BatchOrder)

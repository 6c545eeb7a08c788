"""The threads of one download: some fetch, one computes the digests close behind them, one makes durable what came."""

import threading
import time
from collections.abc import Callable
from functools import partial

from models.errors import StoreError
from models.fetch import ranges
from models.fetch.digests import Digests
from models.fetch.partial import PartialFile
from models.fetch.patience import REPORT_EVERY_S, Report, wait_after
from models.fetch.remote import Interrupted, RemoteBytes
from models.fetch.tuning import Brakes, Tuning
from models.fetch.work import Piece, Work

_HASH_BYTES = 2**20
_WRITE_EVERY_S = 0.5
_MAX_NAP_S = 30.0
_SHOWN_WAIT_S = 2.0


class Crew:
    """Fetches the missing bytes of one file. `run` it once; what came stays in the partial file, however it ends."""

    def __init__(
        self,
        remote: RemoteBytes,
        file: PartialFile,
        work: Work,
        digests: Digests,
        tuning: Tuning,
        brakes: Brakes,
        *,
        can_resume: bool,
    ) -> None:
        """Without `can_resume` the source sends the file from its beginning or not at all."""
        self._remote = remote
        self._file = file
        self._work = work
        self._can_resume = can_resume
        self._digests = digests
        self._tuning = tuning
        self._brakes = brakes
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._num_written = 0
        self._num_allowed = tuning.num_connections if remote.can_share and can_resume else 1
        self._not_before_s = 0.0
        self._note: str | None = None

    def run(self, size_bytes: int, version: str | None, report: Report) -> None:
        """Fetch all. Raises: Changed, SourceError, SourceUnavailable, StoreError; Interrupted, unless `can_resume`."""
        fetchers = [partial(self._fetch, number, version) for number in range(self._num_allowed)]
        needed = [self._thread(work) for work in (*fetchers, partial(self._hash, size_bytes))]
        keeper = self._thread(self._keep)
        for thread in (*needed, keeper):
            thread.start()
        try:
            for thread in needed:
                while thread.is_alive():
                    report(ranges.num_bytes(self._file.ranges), self._note)
                    thread.join(REPORT_EVERY_S)
        finally:
            self._end()
            for thread in (*needed, keeper):
                thread.join()
        self._file.keep()
        if self._error is not None:
            raise self._error
        report(size_bytes, None)

    def _thread(self, work: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=self._guarded, args=(work,), daemon=True)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._error = self._error or error
            self._end()

    def _end(self) -> None:
        self._stop.set()
        with self._news:
            self._news.notify_all()

    def _fetch(self, number: int, version: str | None) -> None:
        num_failures = num_written = 0
        while (piece := self._next(number)) is not None:
            problem = self._try(piece, version)
            if problem is not None:
                num_failures = num_failures + 1 if num_written == self._num_written else 1
                num_written = self._num_written
                self._hold_off(problem, num_failures)

    def _try(self, piece: Piece, version: str | None) -> Interrupted | None:
        """Fetch a piece, and return what interrupted that; another may go on with the rest of it at once."""
        try:
            self._fill(piece, version)
        except Interrupted as problem:
            if not self._can_resume:
                raise
            return problem
        finally:
            with self._news:
                self._work.release(piece)
                self._news.notify_all()
        return None

    def _next(self, number: int) -> Piece | None:
        """Return what to fetch as soon as it may be fetched, None where there is nothing left to do."""
        while not self._stop.is_set() and number < self._num_allowed:
            wait_s = self._wait_s()
            with self._news:
                if self._work.is_done:
                    return None
                if wait_s <= 0 and (piece := self._work.take()):
                    self._note = None
                    return piece
                self._news.wait(min(max(wait_s, REPORT_EVERY_S), _MAX_NAP_S))
        return None

    def _wait_s(self) -> float:
        if opens := self._brakes.opens_at():
            self._note = f"waits until {opens:%H:%M}"
            return opens.timestamp() - time.time()
        return self._not_before_s - time.monotonic()

    def _fill(self, piece: Piece, version: str | None) -> None:
        start = piece.at
        with self._remote.open(start, piece.end, version) as answer:
            waiting = _Waiting()
            try:
                for chunk in answer.chunks:
                    with self._news:  # its end may have come nearer
                        chunk = chunk[: max(0, piece.num_bytes - waiting.num_bytes)]
                    if not chunk or self._stop.is_set():
                        break
                    waiting.add(chunk)
                    wait_s = self._brakes.take(len(chunk))
                    if wait_s or waiting.num_bytes >= self._tuning.write_bytes or waiting.is_due(time.monotonic()):
                        self._write(piece, waiting)
                        if self._brakes.opens_at() and self._can_resume:
                            break
                    if wait_s:
                        self._stop.wait(wait_s)
            finally:
                self._write(piece, waiting)
        if piece.num_bytes > 0 and not self._stop.is_set() and (piece.at == start or not self._can_resume):
            raise Interrupted(f"{self._remote.host} sends less than it has")

    def _write(self, piece: Piece, waiting: "_Waiting") -> None:
        chunks, num_bytes = waiting.take(time.monotonic())
        if not chunks:
            return
        self._file.write(piece.at, chunks)
        with self._news:
            self._work.move(piece, num_bytes)
            self._num_written += num_bytes
            self._news.notify_all()

    def _hold_off(self, problem: Interrupted, num_failures: int) -> None:
        """Wait before the next attempt, as long as the server asks or else ever longer. Raises: SourceUnavailable."""
        wait_s = wait_after(problem, num_failures, self._tuning)
        if problem.is_crowded:
            self._num_allowed = max(1, self._num_allowed - 1)
        if problem.wait_s is not None:
            self._not_before_s = max(self._not_before_s, time.monotonic() + wait_s)
        if wait_s >= _SHOWN_WAIT_S:
            self._note = f"{problem}; tries again"
        self._stop.wait(wait_s)

    def _hash(self, size_bytes: int) -> None:
        buffer = memoryview(bytearray(_HASH_BYTES))
        at = 0
        while at < size_bytes and not self._stop.is_set():
            here = ranges.prefix_bytes(self._file.ranges)
            if here <= at:
                with self._news:
                    self._news.wait(REPORT_EVERY_S)
                continue
            count = self._file.read_into(buffer[: min(_HASH_BYTES, here - at)], at)
            if count == 0:
                raise StoreError(f"{self._file.path} was made shorter by somebody while it was downloaded")
            self._digests.update(buffer[:count])
            at += count

    def _keep(self) -> None:
        while not self._stop.wait(self._tuning.keep_every_s):
            self._file.keep()


class _Waiting:
    """Bytes that came and are not written yet: a write is worth more than one chunk, but no long wait."""

    def __init__(self) -> None:
        self.num_bytes = 0
        self._chunks: list[bytes] = []
        self._since_s = time.monotonic()

    def add(self, chunk: bytes) -> None:
        """Take a chunk."""
        self._chunks.append(chunk)
        self.num_bytes += len(chunk)

    def is_due(self, now_s: float) -> bool:
        """Return whether the bytes have waited long enough."""
        return now_s >= self._since_s + _WRITE_EVERY_S

    def take(self, now_s: float) -> tuple[list[bytes], int]:
        """Return what waits, and begin anew."""
        taken = self._chunks, self.num_bytes
        self._chunks, self.num_bytes, self._since_s = [], 0, now_s
        return taken

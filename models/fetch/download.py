"""One file from its source to its verified whole on the disk, through all that can go wrong between them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from models.fetch import ranges
from models.fetch.crew import Crew
from models.fetch.digests import Digests, WrongContent
from models.fetch.partial import FetchState, PartialFile
from models.fetch.patience import Report, wait_after
from models.fetch.remote import Answer, Changed, Interrupted, RemoteBytes
from models.fetch.tuning import Brakes, Tuning
from models.fetch.work import Work, piece_bytes
from models.sources.base import RemoteFile, SourceError

T = TypeVar("T")
_NAP_S = 0.5


class Download:
    """Goes on with what lies in the folder, if it is the file's, and leaves there what the next one goes on with."""

    def __init__(self, file: RemoteFile, remote: RemoteBytes, folder: Path, tuning: Tuning, brakes: Brakes) -> None:
        self._file = file
        self._remote = remote
        self._partial = PartialFile(folder)
        self._tuning = tuning
        self._brakes = brakes

    @property
    def path(self) -> Path:
        """Return where the file is when it is whole."""
        return self._partial.path

    def run(self, report: Report) -> FetchState:
        """Return the record of the whole, verified file. Raises: SourceError, SourceUnavailable, StoreError.

        Content that is not what was announced, or that changed on the way, is fetched once more from the beginning.
        """
        if done := self._finished_before(version=None):
            return done
        try:
            try:
                return self._patiently(lambda: self._attempt(report), report)
            except (Changed, WrongContent):
                self._partial.forget()
                return self._patiently(lambda: self._attempt(report), report)
        except (Changed, WrongContent) as problem:
            self._partial.forget()
            raise SourceError(
                f"{self._file.name!r} from {self._remote.host} is not what it should be: {problem}; it was fetched "
                "twice and nothing of it was kept"
            ) from problem
        finally:
            self._partial.close()

    def _attempt(self, report: Report) -> FetchState:
        found = self._look()
        if done := self._finished_before(found.version):
            return done
        size_bytes = self._size(found)
        is_stated = self._file.sha256 is not None or self._file.git_sha1 is not None
        self._partial.open(size_bytes, found.version, is_trusted=is_stated)
        if not found.is_range and self._partial.ranges != ((0, size_bytes),):
            self._partial.restart(size_bytes, found.version)
        tuning = self._tuning
        longest = piece_bytes(size_bytes, tuning.num_connections, tuning.min_piece_bytes, tuning.max_piece_bytes)
        work = Work(
            ranges.missing(self._partial.ranges, size_bytes),
            longest if found.is_range else size_bytes,
            tuning.min_piece_bytes,
        )
        digests = Digests(self._file, size_bytes)
        crew = Crew(self._remote, self._partial, work, digests, tuning, self._brakes, can_resume=found.is_range)
        crew.run(size_bytes, found.version, report)
        return self._partial.finish(size_bytes, digests.check())

    def _look(self) -> Answer:
        """Ask for the first byte: the answer says how large the file is, of what version, and whether it has ranges."""
        with self._remote.open(0, 1, None) as answer:
            if answer.is_range:
                for _ in answer.chunks:  # read to its end, so that the connection can be used again
                    pass
            return answer

    def _size(self, found: Answer) -> int:
        stated = self._file.size_bytes
        if stated is not None and found.size_bytes not in (None, stated):
            raise SourceError(
                f"{self._file.name!r} should have {stated} bytes, and {self._remote.host} has {found.size_bytes}; "
                "its listing and its files disagree, so nothing was fetched"
            )
        size_bytes = stated if found.size_bytes is None else found.size_bytes
        if size_bytes is None:
            raise SourceError(f"{self._remote.host} does not say how large {self._file.name!r} is")
        return size_bytes

    def _finished_before(self, version: str | None) -> FetchState | None:
        """Return the record of a file that was verified earlier and that nobody has touched since."""
        saved = self._partial.saved()
        if saved is None or saved.sha256 is None or self._partial.path.stat().st_mtime_ns != saved.mtime_ns:
            return None
        is_this = saved.sha256 == self._file.sha256 or (version is not None and saved.version == version)
        return saved if is_this else None

    def _patiently(self, action: Callable[[], T], report: Report) -> T:
        """Do what may be interrupted until it is done. Raises: SourceUnavailable."""
        num_failures = 0
        while True:
            while opens := self._brakes.opens_at():
                report(0, f"waits until {opens:%H:%M}")
                time.sleep(_NAP_S)
            try:
                return action()
            except Interrupted as problem:
                num_failures += 1
                until_s = time.monotonic() + wait_after(problem, num_failures, self._tuning)
                while (wait_s := until_s - time.monotonic()) > 0:
                    report(0, f"{problem}; tries again")
                    time.sleep(min(wait_s, _NAP_S))

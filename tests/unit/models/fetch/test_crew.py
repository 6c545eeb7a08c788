"""The threads of a download: as many as the source bears, and all of them gone at the end, however it ends."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from models.fetch.crew import Crew
from models.fetch.digests import Digests
from models.fetch.partial import PartialFile
from models.fetch.remote import Answer, Interrupted
from models.fetch.tuning import Brakes
from models.fetch.work import Work
from models.sources.base import RemoteFile, SourceError
from tests.unit.models.fetch.conftest import QUICK

SIZE = 2_000_000


class Source:
    """Counts who asks it at the same time; the first `num_crowded` are told that they are too many."""

    host, can_share = "box", True

    def __init__(self, num_crowded: int = 0, fails_at: int = SIZE) -> None:
        self.num_crowded, self.fails_at = num_crowded, fails_at
        self.now = self.most = 0
        self._lock = threading.Lock()
        self._never = threading.Event()

    @contextmanager
    def open(self, start: int, end: int | None, version: str | None) -> Iterator[Answer]:
        with self._lock:
            if self.num_crowded:
                self.num_crowded -= 1
                raise Interrupted("box answers 429 for now", 0.0, is_crowded=True)
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            yield Answer(size_bytes=SIZE, version=version, is_range=True, chunks=self._chunks(start, end or SIZE))
        finally:
            with self._lock:
                self.now -= 1

    def _chunks(self, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            if start >= self.fails_at:
                raise SourceError("box has thought better of it")
            self._never.wait(0.002)  # so that the others have their turn
            yield b"x" * min(20_000, end - start)
            start += 20_000


def run(source: Source, folder: Path) -> PartialFile:
    file = PartialFile(folder)
    file.open(SIZE, None, is_trusted=False)
    work = Work(((0, SIZE),), 100_000, QUICK.min_piece_bytes)
    digests = Digests(RemoteFile(name="a", url="http://a.example/a"), SIZE)
    crew = Crew(source, file, work, digests, QUICK, Brakes(), can_resume=True)
    num_threads = threading.active_count()
    try:
        crew.run(SIZE, None, lambda done, note: None)
    finally:
        file.close()
        assert threading.active_count() == num_threads
    return file


def test_a_source_is_asked_over_several_connections_at_once(tmp_path: Path) -> None:
    source = Source()
    assert run(source, tmp_path).ranges == ((0, SIZE),)
    assert source.most == QUICK.num_connections


def test_a_source_that_is_asked_too_much_is_asked_over_fewer_connections(tmp_path: Path) -> None:
    source = Source(num_crowded=3)
    assert run(source, tmp_path).ranges == ((0, SIZE),)
    assert source.most == 1


def test_what_ends_one_thread_ends_all_and_what_came_is_on_the_disk(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="thought better of it"):
        run(Source(fails_at=1_000_000), tmp_path)
    saved = PartialFile(tmp_path).saved()
    assert saved is not None
    assert 0 < sum(end - start for start, end in saved.ranges) <= 1_000_000

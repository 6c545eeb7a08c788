"""A server with files, and downloads from it that lose no time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from models.fetch.connections import Connections
from models.fetch.download import Download
from models.fetch.http_file import HttpFile
from models.fetch.partial import FetchState
from models.fetch.tuning import Brakes, Tuning
from models.sources.base import RemoteFile
from tests.hubs.plain import PlainServer
from tests.hubs.server import sha256_of

QUICK = Tuning(
    min_piece_bytes=100_000,
    max_piece_bytes=1_000_000,
    write_bytes=50_000,
    stall_timeout_s=0.5,
    backoff_s=0.01,
    max_backoff_s=0.05,
    keep_every_s=0.02,
)


@dataclass
class Fetching:
    """Downloads into one folder, each with connections of its own, as after a start of the daemon."""

    server: PlainServer
    folder: Path
    notes: list[str] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    on_report: Callable[[int], None] = lambda done: None
    headers: dict[str, str] = field(default_factory=dict)

    def run(self, url: str, *, tuning: Tuning = QUICK, brakes: Brakes | None = None, **facts: Any) -> FetchState:
        connections = Connections(tuning.connect_timeout_s, tuning.stall_timeout_s)
        try:
            remote = HttpFile(connections, url, lambda _: self.headers)
            file = RemoteFile(name="model.gguf", url=url, **facts)
            return Download(file, remote, self.folder, tuning, brakes or Brakes()).run(self._report)
        finally:
            connections.close()

    def _report(self, done_bytes: int, note: str | None) -> None:
        self.done.append(done_bytes)
        if note and note not in self.notes:
            self.notes.append(note)
        self.on_report(done_bytes)

    @property
    def content(self) -> bytes:
        return (self.folder / "data").read_bytes()

    def ranges(self) -> list[str]:
        """Return what was asked for after the look at the first byte."""
        return [seen.range for seen in self.server.asked("model.gguf") if seen.range and seen.range != "bytes=0-0"]

    def num_bytes_asked(self) -> int:
        return sum(int(last) - int(first) + 1 for first, last in (text[6:].split("-") for text in self.ranges()))


@pytest.fixture
def server() -> Iterator[PlainServer]:
    with PlainServer() as server:
        yield server


@pytest.fixture
def fetching(server: PlainServer, tmp_path: Path) -> Fetching:
    return Fetching(server, tmp_path / "file")


@pytest.fixture(scope="session")
def data() -> bytes:
    return bytes(range(256)) * 12_000 + b"the end"


@pytest.fixture(scope="session")
def other(data: bytes) -> bytes:
    """As long, and different everywhere."""
    return bytes(255 - byte for byte in data)


@pytest.fixture(scope="session")
def sha256(data: bytes) -> str:
    return sha256_of(data)

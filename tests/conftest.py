"""A real daemon as a process: `appliance serve` on a free port with a home of its own."""

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

from appliance.client import Client

START_TIMEOUT_S = 60
collect_ignore = ["clients"]
"""They run in environments of their own; see `tests/run`."""

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")


def pytest_collection_finish() -> None:
    """Keep what is there now for good: no test's garbage is then looked for among all modules and all other tests."""
    gc.collect()
    gc.freeze()


@dataclass(frozen=True)
class RealDaemon:
    """A running daemon; `process` is the daemon itself, its workers are its children."""

    url: str
    home: Path
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def client(self) -> Client:
        return Client(self.url, (self.home / "run" / "local.key").read_text())

    def worker_pids(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]

    def wait_until(self, claim: Callable[[], bool]) -> None:
        """Poll what another process does; there is no event to wait for."""
        ends_s = time.monotonic() + START_TIMEOUT_S
        while not claim():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < ends_s, self.log.read_text()
            time.sleep(0.02)


def serve_command(*arguments: str) -> list[str]:
    program = "from appliance.cli.main import entry; entry()"
    return [sys.executable, "-c", program, "serve", "--port", "0", *arguments]


def environment(home: Path, **settings: str) -> dict[str, str]:
    # What a test that ran a compiled model in this process told the library is not the daemon's
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("APPLIANCE_", "TVM_"))}
    ours = {
        "APPLIANCE_HOME": str(home),
        "PYTHONPATH": str(Path(__file__).parents[1]),
        # Two threads on busy cores wait for each other: a small model is fifty times slower then
        "APPLIANCE_ENGINE__THREADS": "1",
        # All cores for some seconds, whenever a test asks nothing for long
        "APPLIANCE_ENGINE__CALIBRATE": "off",
    }
    return kept | ours | settings


@contextmanager
def running_daemon(home: Path, *arguments: str, **settings: str) -> Iterator[RealDaemon]:
    home.mkdir(parents=True, exist_ok=True)
    log = home / "log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            serve_command(*arguments), env=environment(home, **settings), stdout=stream, stderr=stream
        )
    found = home / "run" / "daemon.json"
    try:
        starting = RealDaemon("", home, process, log)
        starting.wait_until(lambda: found.exists() and bool(found.read_bytes()))
        daemon = RealDaemon(json.loads(found.read_bytes())["url"], home, process, log)
        daemon.wait_until(daemon.client.is_healthy)
        yield daemon
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(START_TIMEOUT_S)


@pytest.fixture(scope="session")
def real_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    """One daemon for all tests that leave it as they found it; its default model is the embedded one and answers."""
    with running_daemon(tmp_path_factory.mktemp("daemon") / "home") as daemon:
        daemon.wait_until(lambda: daemon.client.status().is_ready)
        yield daemon

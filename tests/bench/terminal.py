"""How quick and how light the terminal is: first paint, key to paint, processor and memory, in a real pseudo-terminal.

    python -m tests.bench.terminal [--size 80x24] [--rounds 21]

The box is one of prepared answers with 200 models and 5,000 log lines that tells two things a second. What a key costs
is the time from the key until the last byte of what is painted for it.
"""

import argparse
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from appliance.core.admin import InstalledModels
from appliance.core.catalogue import CatalogueAnswer
from appliance.core.doctor import Diagnosis
from appliance.core.feed import FeedEvent, LogLine, LogLines
from appliance.core.jobs import JobList
from appliance.core.store import Adapters
from tests.unit.cli.fake_daemon import FakeDaemon, Reply, installed, loaded, serving, status

NUM_MODELS, NUM_LINES = 200, 5000
QUIET_S = 0.08
"""What was painted for a key is over when nothing came for so long; it is not counted."""
REST_S = 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="160x48")
    parser.add_argument("--rounds", type=int, default=21)
    arguments = parser.parse_args()
    columns, rows = map(int, arguments.size.split("x"))
    with serving() as box, tempfile.TemporaryDirectory() as folder:
        prepare(box)
        paints_s = []
        for _ in range(5):
            with terminal(box.url, Path(folder), columns, rows) as screen:
                paints_s.append(screen.until(b"Dashboard"))
        print(f"start to first paint: {statistics.median(paints_s):.2f} s (median of {len(paints_s)})")
        with terminal(box.url, Path(folder), columns, rows) as screen:
            screen.until(b"Dashboard")
            screen.settle(2.0)
            for place, keys in PLACES:
                screen.press(place)
                screen.settle(1.5)
                for name, key in keys:
                    costs = sorted(screen.press(key) for _ in range(arguments.rounds))
                    print(f"{name:<34} {statistics.median(costs) * 1000:5.0f} ms, worst {costs[-1] * 1000:5.0f} ms")
                screen.press(b"\x1b")
            screen.press(b"1")
            screen.settle(2.0)
            print(f"at rest on the dashboard: {screen.busy(REST_S):.1%} of a core, {screen.memory_mb():.0f} MB")


PLACES = (
    (b"2", (("models: down", b"\x1b[B"), ("models: page down", b"\x1b[6~"), ("models: page up", b"\x1b[5~"))),
    (b"2/", (("models: a letter of the filter", b"o"), ("models: a letter taken back", b"\x7f"))),
    (b"7", (("logs: page up", b"\x1b[5~"), ("logs: page down", b"\x1b[6~"))),
    (b"7/", (("logs: a letter of the filter", b"o"), ("logs: a letter taken back", b"\x7f"))),
)


def prepare(box: FakeDaemon) -> None:
    models = tuple(installed(f"model-{number:03}", is_default=number == 0) for number in range(NUM_MODELS))
    lines = tuple(line(number) for number in range(NUM_LINES))
    box.reply("GET", "/admin/v1/status", status(loaded("model-000"), loaded("model-001")))
    box.reply("GET", "/admin/v1/models", InstalledModels(models=models))
    box.reply("GET", "/admin/v1/catalogue", CatalogueAnswer(models=(), budget_bytes=2**34, notes=()))
    box.reply("GET", "/admin/v1/jobs", JobList(jobs=()))
    box.reply("GET", "/admin/v1/adapters", Adapters(adapters=()))
    box.reply("GET", "/admin/v1/doctor", Diagnosis(findings=(), worst="ok"))
    box.reply("GET", f"/admin/v1/logs?last={NUM_LINES}&level=debug", LogLines(lines=lines))
    box.replies["GET", "/admin/v1/events?last=200&types="] = Reply(Told())


def line(number: int) -> LogLine:
    message = f"model 'model-{number % NUM_MODELS:03}' is ready: loaded in {number} ms"
    return LogLine(seq=number, time_s=1.78e9 + number, level="info", source="appliance.scheduler.pool", message=message)


class Told:
    """Two events a second, for each who listens."""

    def __iter__(self) -> Iterator[bytes]:
        for number in range(NUM_LINES, 10**6):
            event = FeedEvent(seq=number, time_s=time.time(), type="log", data=msgspec.to_builtins(line(number)))
            yield b"data: " + msgspec.json.encode(event) + b"\n\n"
            time.sleep(0.5)


class Screen:
    """A terminal program at the other end of a pseudo-terminal."""

    def __init__(self, pid: int, master: int) -> None:
        self._process, self._master = psutil.Process(pid), master
        self._began_s = time.monotonic()

    def until(self, text: bytes) -> float:
        """Return the time from the start until these bytes came."""
        seen = b""
        while text not in seen:
            seen += self._read(30.0)
        return time.monotonic() - self._began_s

    def settle(self, seconds: float) -> None:
        """Let it paint what it likes for so long."""
        ends_s = time.monotonic() + seconds
        while (left_s := ends_s - time.monotonic()) > 0:
            self._read(left_s)

    def press(self, key: bytes) -> float:
        """Return the time from a key until the last of what was painted for it."""
        began_s = last_s = time.monotonic()
        os.write(self._master, key)
        patience_s = 2.0
        while self._read(patience_s):
            last_s, patience_s = time.monotonic(), QUIET_S
        return last_s - began_s

    def busy(self, seconds: float) -> float:
        """Return how much of a core it uses."""
        before = sum(self._process.cpu_times()[:2])
        self.settle(seconds)
        return (sum(self._process.cpu_times()[:2]) - before) / seconds

    def memory_mb(self) -> float:
        """Return what it has to itself in memory, in megabytes."""
        return float(self._process.memory_full_info().uss) / 1e6

    def _read(self, patience_s: float) -> bytes:
        ready, _, _ = select.select([self._master], [], [], patience_s)
        return os.read(self._master, 1 << 16) if ready else b""


@contextmanager
def terminal(url: str, folder: Path, columns: int, rows: int) -> Iterator[Screen]:
    program = "from appliance.cli.main import entry; entry()"
    pid, master = pty.fork()
    if pid == 0:
        ours = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "APPLIANCE_HOME": str(folder), "LANG": "C.UTF-8"}
        ours |= {"PYTHONPATH": str(Path(__file__).parents[2]), "XDG_DATA_HOME": str(folder)}
        os.execve(sys.executable, [sys.executable, "-c", program, "tui", "--url", url], os.environ | ours)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    try:
        yield Screen(pid, master)
    finally:
        os.kill(pid, signal.SIGKILL)
        drain = threading.Thread(target=os.waitpid, args=(pid, 0))
        drain.start()
        drain.join()
        os.close(master)


if __name__ == "__main__":
    main()

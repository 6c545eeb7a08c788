"""What the HTTP layer alone costs, under our server and under granian: the wait for the first text, and each token.

    python tests/bench/http_servers.py [--streams 32] [--seconds 10]

The whole API answers in a process of its own; in the place of models stands a ticker that gives every stream a token
at each tick, as a step of a worker does. So all that is measured is HTTP, the dialect and the framework. granian is no
dependency: install it beside the product to compare. A line for each server and round, in turns.
"""

import argparse
import asyncio
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from appliance.api.app import build_api
from appliance.api.server import HttpServer, bind
from appliance.core.caller import Caller
from appliance.core.request import GenerateRequest, RequestId
from appliance.scheduler.stream import RequestStream
from tests.api.conftest import LOCAL_SECRET, PATIENT, build
from tests.bench.stream import Server, stream
from tests.fakes import FakeScheduler, accepted, delta, finished

ROOT = Path(__file__).resolve().parents[2]
TICK_S = 0.01
NUM_TOKENS = 200
BODY = {"messages": [{"role": "user", "content": "Hi"}]}
PATH = "/v1/chat/completions"
WARM_UP_S = 4.0
PORTS = {"uvicorn": 18484, "granian": 18485}


class Ticker(FakeScheduler):
    """Answers at once with a first token, then with one for every stream at each tick."""

    def __init__(self) -> None:
        super().__init__()
        self.script = lambda request: [accepted(request), delta(request, " word")]
        self._left: dict[RequestId, tuple[GenerateRequest, int]] = {}
        self._is_ticking = False
        self._due_s = 0.0

    def submit(self, request: GenerateRequest, caller: Caller) -> RequestStream:
        answer = super().submit(request, caller)
        self.requests.clear()
        self._left[request.id] = (request, NUM_TOKENS - 1)
        if not self._is_ticking:
            self._is_ticking = True
            self._due_s = asyncio.get_running_loop().time()
            self._schedule()
        return answer

    def _cancel(self, request_id: RequestId) -> None:
        self._left.pop(request_id, None)
        super()._cancel(request_id)

    def _tick(self) -> None:
        for request, num_left in [*self._left.values()]:
            if num_left:
                self.tell(request, delta(request, " word"))
                self._left[request.id] = (request, num_left - 1)
            else:
                del self._left[request.id]
                self.tell(request, finished(request, completion_tokens=NUM_TOKENS))
        self._is_ticking = bool(self._left)
        if self._is_ticking:
            self._schedule()

    def _schedule(self) -> None:
        self._due_s += TICK_S  # not from now: a tick that comes late is made up for, so that the rate holds
        asyncio.get_running_loop().call_at(self._due_s, self._tick)


def make_app() -> Any:
    """Return the API over a ticker; what granian calls in its worker."""
    daemon = build(Path(tempfile.mkdtemp()), PATIENT, scheduler=Ticker())
    return build_api(daemon.parts, local_secret=LOCAL_SECRET, machine_name="box.lan")


async def serve_ours(port: int) -> None:
    await HttpServer(make_app()).serve(sockets=[bind("127.0.0.1", port)])


def command_of(name: str) -> list[str]:
    if name == "uvicorn":
        return [sys.executable, __file__, "--serve", str(PORTS[name])]
    target = ["--factory", "tests.bench.http_servers:make_app", "--port", str(PORTS[name])]
    return [sys.executable, "-m", "granian", "--interface", "asgi", "--loop", "uvloop", "--no-ws", *target]


@contextmanager
def running(name: str) -> Iterator[psutil.Process]:
    process = subprocess.Popen(command_of(name), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def server_of(name: str) -> Server:
    return Server(f"http://127.0.0.1:{PORTS[name]}", None, None)


def cpu_s(process: psutil.Process) -> float:
    """Return the processor time of a process and its children."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


async def keep_busy(name: str, num_streams: int) -> None:
    """Hold so many streams open for ever. They begin one after the other, so that no two stay in step."""

    async def ask() -> None:
        while True:
            await stream(server_of(name), PATH, BODY)

    clients = set()
    for _ in range(num_streams):
        clients.add(asyncio.create_task(ask()))
        await asyncio.sleep(NUM_TOKENS * TICK_S / num_streams)
    await asyncio.gather(*clients)


def wait_for_first_text(name: str) -> float:
    """Return the seconds from a request to its first text, on a connection of its own that is then given up."""
    request = server_of(name).request(PATH, {**BODY, "stream": True})
    with socket.create_connection(("127.0.0.1", PORTS[name])) as connection:
        received, begun_s = b"", time.perf_counter()
        connection.sendall(request)
        while b"word" not in received:
            received += connection.recv(65536)
        return time.perf_counter() - begun_s


def measure(name: str, process: psutil.Process, num_streams: int, seconds: float) -> str:
    """Return a line of figures. The load is another process, so that its work is not taken for the server's."""
    load = subprocess.Popen([sys.executable, __file__, "--load", name, "--streams", str(num_streams)], cwd=ROOT)
    try:
        time.sleep(WARM_UP_S)
        waits_s, begun_s, cpu_begun_s = [], time.perf_counter(), cpu_s(process)
        while time.perf_counter() < begun_s + seconds:
            waits_s.append(wait_for_first_text(name))
            time.sleep(random.uniform(0.02, 0.06))
        cost_s, duration_s = cpu_s(process) - cpu_begun_s, time.perf_counter() - begun_s
    finally:
        load.kill()
        load.wait()
    return (
        f"{name}: first text after {statistics.median(waits_s) * 1e3:.2f} ms "
        f"(p90 {statistics.quantiles(waits_s, n=10)[-1] * 1e3:.2f}), "
        f"{cost_s / (num_streams * duration_s / TICK_S) * 1e6:.1f} µs of the process for each token"
    )


def until_served(name: str) -> None:
    for _ in range(200):
        try:
            wait_for_first_text(name)
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{name} does not serve")


def compare(arguments: argparse.Namespace) -> None:
    for _ in range(arguments.rounds):
        for name in PORTS:
            with running(name) as process:
                until_served(name)
                print(measure(name, process, arguments.streams, arguments.seconds), flush=True)


def main() -> None:
    """Compare, or serve for the one who does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--load", metavar="NAME", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        uvloop.run(serve_ours(arguments.serve))
    elif arguments.load is not None:
        asyncio.run(keep_busy(arguments.load, arguments.streams))
    else:
        compare(arguments)


if __name__ == "__main__":
    main()

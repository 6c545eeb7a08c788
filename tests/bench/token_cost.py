"""What a streamed token costs the daemon: its processor time, without its workers', over the tokens it wrote.

    python tests/bench/token_cost.py [--streams 1 8 32]

A daemon is started on a home of its own, and the embedded model writes at full speed. The time is the process's own, so
other work on the machine hardly changes it.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.stream import Server, stream
from tests.conftest import RealDaemon, running_daemon

NUM_TOKENS = 1500
BODY = {"messages": [{"role": "user", "content": "Hi"}], "ignore_eos": True, "max_tokens": NUM_TOKENS}


def cpu_s(process: psutil.Process) -> float:
    """Return the processor time of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def cost_of(daemon: RealDaemon, num_streams: int, body: dict[str, Any]) -> float:
    """Return the daemon's seconds for each token of streams that run together."""
    process, server = psutil.Process(daemon.process.pid), Server(daemon.url, None, None)
    begun_s = cpu_s(process)
    answers = await asyncio.gather(*(stream(server, "/v1/chat/completions", body) for _ in range(num_streams)))
    return (cpu_s(process) - begun_s) / sum(answer.completion_tokens for answer in answers)


def main() -> None:
    """Print a line for each number of streams."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8, 32])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, running_daemon(Path(home) / "home") as daemon:
        daemon.wait_until(lambda: daemon.client.status().is_ready)
        for num_streams in arguments.streams:
            cost_s = asyncio.run(cost_of(daemon, num_streams, BODY))
            print(f"{num_streams:3} streams: {cost_s * 1e6:5.1f} µs of the daemon for each token")


if __name__ == "__main__":
    main()

"""What a batch costs those who do not wait for it, and what it gains: measured in one run of a daemon of our own.

    python tests/bench/batches.py MODEL.gguf [--parts callers,throughput] [--json OUT.json]

`callers`: one caller asks a short question every so often, without a batch and while a batch of many lines is worked
off; the ratio of the medians of the time to first text, and how much of the machine's processors the daemon and its
processes use meanwhile. `throughput`: tokens a second of a batch, from its creation to its end, beside those of
requests like its own that one caller asks one by one. Every prompt is fresh, and every answer as long as asked.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import peers
from tests.bench.serve import random_prompt
from tests.bench.stream import Server, Stream, stream

ROOT = Path(__file__).resolve().parents[2]
PATH = "/v1/completions"
NUM_WORDS = 12
NUM_TOKENS = 32
POLL_S = 0.2
DISTURBING_CORES = 0.25
MAX_TRIES = 3  # for each request that is to be counted


class Site:
    """The daemon that is measured, as a client sees it."""

    def __init__(self, url: str, rng: random.Random) -> None:
        self._server = Server(url, None, None)
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=60)
        self._rng = rng

    def body(self, num_words: int = NUM_WORDS, num_tokens: int = NUM_TOKENS) -> dict[str, Any]:
        """Return a request that nobody has sent before."""
        return {"prompt": random_prompt(self._rng, num_words), "max_tokens": num_tokens, "ignore_eos": True}

    async def ask(self, num_words: int = NUM_WORDS, num_tokens: int = NUM_TOKENS) -> Stream:
        """Return the answer to a fresh request."""
        return await stream(self._server, PATH, self.body(num_words, num_tokens))

    def begin(self, num_lines: int) -> str:
        """Create a batch and return its id."""
        asked = {"method": "POST", "url": PATH}
        lines = ({"custom_id": str(number), **asked, "body": self.body()} for number in range(num_lines))
        text = "\n".join(map(json.dumps, lines))
        file = self._sent("/v1/files", data={"purpose": "batch"}, files={"file": ("in.jsonl", text.encode())})
        batch = {"input_file_id": file["id"], "endpoint": PATH, "completion_window": "24h"}
        return str(self._sent("/v1/batches", json=batch)["id"])

    def batch(self, batch_id: str) -> dict[str, Any]:
        """Return a batch as it is now."""
        found: dict[str, Any] = self._http.get(f"/v1/batches/{batch_id}").raise_for_status().json()
        return found

    async def until_answered(self, batch_id: str, num_lines: int) -> None:
        """Wait until so many lines are answered; of all of them, until the batch has ended."""
        while (batch := self.batch(batch_id))["request_counts"]["completed"] < num_lines or (
            num_lines == batch["request_counts"]["total"] and batch["status"] != "completed"
        ):
            if batch["status"] in ("failed", "expired", "cancelled"):
                sys.exit(f"the batch is {batch['status']}: {batch.get('errors')}")
            await asyncio.sleep(POLL_S)

    def cancel(self, batch_id: str) -> None:
        """Give a batch up."""
        self._sent(f"/v1/batches/{batch_id}/cancel")

    def _sent(self, path: str, **fields: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._http.post(path, **fields).raise_for_status().json()
        return answer


class Processors:
    """How busy the processors are with the processes that this one has started, since it was made."""

    def __init__(self) -> None:
        self._start_s = time.perf_counter()
        self._before_s = _processor_times_s()

    def ratio(self) -> float:
        """Return the used part of what the machine has."""
        used_s = sum(time_s - self._before_s.get(pid, 0.0) for pid, time_s in _processor_times_s().items())
        return used_s / (time.perf_counter() - self._start_s) / (os.cpu_count() or 1)


async def callers(site: Site, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return how long a caller waits for its first text without and beside a batch."""
    alone = await _times_to_first_text_s(site, arguments)
    batch_id = site.begin(arguments.lines)
    await site.until_answered(batch_id, 1)
    processors = Processors()
    beside = await _times_to_first_text_s(site, arguments)
    busy_ratio = processors.ratio()
    counts = site.batch(batch_id)["request_counts"]
    site.cancel(batch_id)
    ratio = statistics.median(beside) / statistics.median(alone)
    print(f"time to first text alone: {_spread_ms(alone)}; beside a batch: {_spread_ms(beside)}; ratio {ratio:.2f}")
    print(
        f"processors busy with the daemon: {busy_ratio:.1%}; {counts['completed']} of {counts['total']} lines answered"
    )
    return {"alone_s": alone, "beside_s": beside, "ratio": ratio, "busy_ratio": busy_ratio, "counts": counts}


async def throughput(site: Site, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the tokens a second of requests one by one, and of a batch."""
    start_s = time.perf_counter()
    for _ in range(arguments.one_by_one):
        await site.ask()
    single = arguments.one_by_one * NUM_TOKENS / (time.perf_counter() - start_s)
    start_s = time.perf_counter()
    await site.until_answered(site.begin(arguments.throughput_lines), arguments.throughput_lines)
    batched = arguments.throughput_lines * NUM_TOKENS / (time.perf_counter() - start_s)
    print(f"one by one: {single:.1f} tokens/s; as a batch: {batched:.1f} tokens/s; ratio {batched / single:.2f}")
    return {"one_by_one_tokens_per_s": single, "batch_tokens_per_s": batched, "ratio": batched / single}


PARTS = {"callers": callers, "throughput": throughput}


async def _times_to_first_text_s(site: Site, arguments: argparse.Namespace) -> list[float]:
    """Return the times of requests during which no other program took much of the machine, as many as were asked."""
    times_s: list[float] = []
    for _ in range(MAX_TRIES * arguments.requests):
        if len(times_s) == arguments.requests:
            break
        start_s, before_s = time.perf_counter(), _others_s()
        answer = await site.ask(arguments.caller_words, arguments.caller_tokens)
        await asyncio.sleep(max(0.0, start_s + arguments.every - time.perf_counter()))
        if _others_s() - before_s <= DISTURBING_CORES * (time.perf_counter() - start_s):
            times_s.append(answer.time_to_first_text_s)
    if len(times_s) < arguments.requests:
        print(f"others took the machine: {len(times_s)} of {arguments.requests} requests are counted")
    return times_s


def _others_s() -> float:
    """Return how long programs that are not ours have kept processors busy until now."""
    counters = psutil.cpu_times()
    busy_s = counters.user + counters.nice + counters.system + counters.irq + counters.softirq
    return float(busy_s - sum(_processor_times_s().values()) - time.process_time())


def _processor_times_s() -> dict[int, float]:
    times_s = {}
    for process in psutil.Process().children(recursive=True):
        used = process.cpu_times()
        times_s[process.pid] = used.user + used.system
    return times_s


def _spread_ms(times_s: list[float]) -> str:
    median, least, greatest = (1e3 * value for value in (statistics.median(times_s), min(times_s), max(times_s)))
    return f"{median:.0f} ms ({least:.0f} to {greatest:.0f})"


def parse() -> argparse.Namespace:
    """Return the arguments; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--parts", type=lambda text: text.split(","), default=[*PARTS], metavar="NAMES")
    parser.add_argument("--requests", type=int, default=15, help="of the caller, without and beside the batch")
    parser.add_argument("--every", type=float, default=2.0, metavar="S", help="from one of them to the next")
    parser.add_argument("--caller-words", type=int, default=NUM_WORDS, help="of each of their prompts")
    parser.add_argument("--caller-tokens", type=int, default=8, help="of each of their answers")
    parser.add_argument("--lines", type=int, default=1000, help="of the batch beside them")
    parser.add_argument("--one-by-one", type=int, default=25, help="requests one by one")
    parser.add_argument("--throughput-lines", type=int, default=100, help="of the batch whose throughput is measured")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="for the daemon's environment")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, too")
    return parser.parse_args()


async def measure(site: Site, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure the parts, printing each as it is known."""
    for _ in range(3):
        await site.ask()
    return {part: await PARTS[part](site, arguments) for part in arguments.parts}


def main() -> None:
    """Run as the command line says."""
    arguments = parse()
    with ExitStack() as stack:
        settings = dict(option.split("=", 1) for option in arguments.set)
        peer = peers.appliance(ROOT, arguments.model.absolute(), settings)
        stack.callback(peer.close)
        peer.start()
        results = asyncio.run(measure(Site(peer.url, random.Random(time.time_ns())), arguments))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()

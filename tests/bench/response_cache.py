"""A question that was answered before, through HTTP: how soon one client has the answer, and how many a second.

    python tests/bench/response_cache.py [--model NAME] [--requests 4000] [--url http://127.0.0.1:8484]

Asks one deterministic question until it is known, then measures hits: one client after another request, then 32 clients
at once, each over a connection that stays open. The client is this process, written without a library so that it takes
little; pin the daemon to one core to compare with a figure for one core. Prints medians and the 99th percentile.
"""

import argparse
import asyncio
import json
import statistics
import time
from itertools import chain
from urllib.parse import urlsplit

NUM_CLIENTS = 32


def request_of(url: str, model: str) -> tuple[str, int, bytes]:
    """Return host, port and the whole request."""
    parts = urlsplit(url)
    body = json.dumps(
        {
            "model": model,
            "messages": [{"role": "user", "content": "How do I list the models?"}],
            "temperature": 0,
            "max_tokens": 64,
        }
    ).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    return parts.hostname or "", parts.port or 80, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Connection:
    """One client: sends the request and waits for the whole answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
        self._reader, self._writer, self._request = reader, writer, request

    async def ask(self) -> tuple[float, bytes]:
        """Return the seconds that it took, and the head of the answer."""
        began_s = time.perf_counter()
        self._writer.write(self._request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        await self._reader.readexactly(length)
        return time.perf_counter() - began_s, head


async def measure(options: argparse.Namespace) -> None:
    """Measure and print."""
    host, port, request = request_of(options.url, options.model)
    connections = [Connection(*(await asyncio.open_connection(host, port)), request) for _ in range(NUM_CLIENTS)]
    for _ in range(3):
        _, head = await connections[0].ask()
    assert b"x-cache: hit" in head, head.decode()
    alone_s = [(await connections[0].ask())[0] for _ in range(500)]
    print(f"1 client: median {1e3 * statistics.median(alone_s):.2f} ms, p99 {1e3 * percentile(alone_s):.2f} ms")

    async def client(connection: Connection) -> list[float]:
        return [(await connection.ask())[0] for _ in range(options.requests // NUM_CLIENTS)]

    for _ in range(3):
        began_s = time.perf_counter()
        times_s = list(chain.from_iterable(await asyncio.gather(*map(client, connections))))
        rate = len(times_s) / (time.perf_counter() - began_s)
        print(f"{NUM_CLIENTS} clients: {rate:.0f} requests/s, p99 {1e3 * percentile(times_s):.1f} ms")


def percentile(values: list[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(values, n=100)[98]


def main() -> None:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8484")
    parser.add_argument("--model", default="guide")
    parser.add_argument("--requests", type=int, default=4000)
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()

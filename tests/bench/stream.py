"""A lean client for one streamed completion: it shares the processor with the servers it times.

It never parses JSON: an arrival costs one reading of the clock and two searches in the bytes.
"""

import asyncio
import itertools
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_END = b"data: [DONE]"
_TEXT = re.compile(rb'"(?:text|content)":\s*"[^"]')
_TAIL_BYTES = 4096


@dataclass(frozen=True)
class Server:
    """Where to send requests. `base_url` may end in `/v1`."""

    base_url: str
    model: str | None
    key: str | None

    def request(self, path: str, body: dict[str, Any]) -> bytes:
        """Return the bytes of an HTTP/1.1 request whose connection ends with its answer."""
        url = urlsplit(self.base_url)
        payload = json.dumps(body if self.model is None else {"model": self.model, **body}).encode()
        lines = [
            f"POST {url.path.rstrip('/').removesuffix('/v1')}{path} HTTP/1.1",
            f"Host: {url.netloc}",
            "Content-Type: application/json",
            "Connection: close",
            f"Content-Length: {len(payload)}",
            *([f"Authorization: Bearer {self.key}"] if self.key else []),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + payload


@dataclass
class Stream(asyncio.Protocol):
    """One answer: when its text arrived, and how many tokens its usage says it had.

    A server may end an answer with an error event instead of its usage: llama-server does so when a model with random
    weights writes half a UTF-8 character. Then `error` says so, and the pieces of text are counted as tokens.
    """

    request: bytes
    start_s: float = 0.0
    end_s: float = 0.0
    arrivals_s: list[float] = field(default_factory=list)
    num_texts: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str | None = None
    status: bytes = b""

    def __post_init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.start_s = time.perf_counter()
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.end_s = time.perf_counter()
        self.status = self.status or data[9:12]
        num_texts = len(_TEXT.findall(data))
        if num_texts:
            self.num_texts += num_texts
            self.arrivals_s.append(self.end_s)
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        if _END in self._tail:
            self._finish()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._finish()

    def _finish(self) -> None:
        if self.done.done():
            return
        self._transport.close()
        self.prompt_tokens = self._last_number(rb'"prompt_tokens":\s*(\d+)')
        self.completion_tokens = self._last_number(rb'"completion_tokens":\s*(\d+)')
        if self.completion_tokens:
            self.done.set_result(None)
            return
        self.error = self._tail.decode(errors="replace").replace("\r\n", " ")[-300:] or "nothing came"
        self.completion_tokens = self.num_texts
        if self.status == b"200":
            self.done.set_result(None)
        else:
            self.done.set_exception(ConnectionError(f"{self.error!r} was the answer"))

    def _last_number(self, pattern: bytes) -> int:
        found = re.findall(pattern, self._tail)
        return int(found[-1]) if found else 0

    @property
    def time_to_first_text_s(self) -> float:
        """Time from sending the request to its first text, or to its end when it has none."""
        return (self.arrivals_s[0] if self.arrivals_s else self.end_s) - self.start_s

    @property
    def gaps_s(self) -> list[float]:
        """Times between arrivals of text."""
        return [later - earlier for earlier, later in itertools.pairwise(self.arrivals_s)]


async def stream(server: Server, path: str, body: dict[str, Any]) -> Stream:
    """Send one request and return its answer once it is complete. Raises: ConnectionError."""
    url = urlsplit(server.base_url)
    loop = asyncio.get_running_loop()
    request = server.request(path, {**body, "stream": True, "stream_options": {"include_usage": True}})
    _, answer = await loop.create_connection(lambda: Stream(request), url.hostname, url.port or 80)
    await answer.done
    return answer

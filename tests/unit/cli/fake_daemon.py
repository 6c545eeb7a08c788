"""A daemon with prepared answers, over real HTTP, that remembers what it was asked."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from appliance.core.admin import (
    InstalledModel,
    LoadedModelStatus,
    MachineStatus,
    RecentFigures,
    Requests,
    RequestState,
    RequestStatus,
    Status,
    Versions,
)
from appliance.core.request import RequestId


@dataclass(frozen=True)
class Reply:
    """An answer. A body in pieces is sent piece by piece, and ends when the connection does."""

    body: bytes | Iterable[bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class FakeDaemon:
    """Prepare `replies[method, path]`; read `asked`. `/health` is good unless prepared otherwise."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.replies: dict[tuple[str, str], Reply] = {("GET", "/health"): Reply(b"{}")}
        self.asked: list[Asked] = []
        self.saw_disconnect = threading.Event()

    def reply(self, method: str, path: str, value: object, status: int = 200, **headers: str) -> None:
        """Answer with `value` as JSON."""
        self.replies[method, path] = Reply(msgspec.json.encode(value), status, headers)

    def refuse(
        self, method: str, path: str, status: int, message: str, code: str | None = None, **headers: str
    ) -> None:
        """Answer with an error."""
        error = {"message": message, "type": "x", "param": None, "code": code}
        self.reply(method, path, {"error": error}, status, **headers)

    def stream(self, path: str, *events: object) -> None:
        """Answer a POST with Server-Sent Events: values as JSON, bytes as they are."""
        lines = [event if isinstance(event, bytes) else msgspec.json.encode(event) for event in events]
        self.replies["POST", path] = Reply([b": waiting\n\n", *(b"data: %b\n\n" % line for line in lines)])

    def last(self, method: str, path: str) -> Asked:
        """Return the latest request to a route."""
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)][-1]


@contextmanager
def serving() -> Iterator[FakeDaemon]:
    """Run a daemon on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            super().handle_one_request()
            self.close_connection = True

        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = msgspec.json.decode(content) if content else None
            daemon.asked.append(Asked(self.command, self.path, dict(self.headers), body))
            missing = Reply(b'{"error": {"message": "no such route", "code": "not_found"}}', 404)
            reply = daemon.replies.get((self.command, self.path), missing)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            try:
                for piece in [reply.body] if isinstance(reply.body, bytes) else reply.body:
                    self.wfile.write(piece)
            except OSError:
                daemon.saw_disconnect.set()

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815  (the names that http.server calls)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    daemon = FakeDaemon(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield daemon
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def installed(name: str = "guide", **changes: Any) -> InstalledModel:
    """Return a model for answers."""
    model = InstalledModel(
        name=name,
        format="gguf",
        digest="sha256:00",
        size_bytes=3 * 2**20,
        architecture="qwen2",
        num_parameters=920_000,
        quantization="Q8_0",
        trained_context_tokens=2048,
        context_tokens=None,
        capabilities=("completion", "chat"),
        is_default=True,
        is_pinned=False,
        state="stopped",
        path="/models/guide.gguf",
        estimated_bytes=None,
        licence="apache-2.0",
        reasons=(),
        added_s=None,
    )
    return msgspec.structs.replace(model, **changes)


def loaded(name: str = "guide", **changes: Any) -> LoadedModelStatus:
    """Return a model in memory for answers."""
    model = LoadedModelStatus(
        name=name,
        state="ready",
        reason="",
        backend="llama_cpp",
        device="cpu",
        is_pinned=False,
        memory_bytes=12 * 2**20,
        context_tokens=2048,
        num_running=2,
        num_waiting=1,
        tokens_per_s=51.25,
        kv_used_tokens=10,
        kv_capacity_tokens=4096,
        expires_in_s=1740.0,
    )
    return msgspec.structs.replace(model, **changes)


def status(*models: LoadedModelStatus) -> Status:
    """Return a status for answers."""
    return Status(
        state="serving",
        is_ready=True,
        not_ready_reason=None,
        url="http://127.0.0.1:8484",
        home="/var/lib/appliance",
        uptime_s=185.0,
        default_model="guide",
        num_running=2,
        num_waiting=1,
        models=models,
        machine=MachineStatus(cpu_busy_ratio=0.34, memory_total_bytes=16 * 2**30, memory_available_bytes=9 * 2**30),
        versions=Versions(appliance="0.1.0", python="3.11.7", backends={"llama_cpp": "0.3.36"}),
    )


def request(id: str, state: RequestState = "running", **changes: Any) -> RequestStatus:
    """Return a request for answers."""
    status = RequestStatus(
        id=RequestId(id),
        model="guide",
        caller="local",
        priority="normal",
        state=state,
        arrived_s=1.8e9,
        duration_s=2.5,
        queue_s=0.01,
        ttft_s=0.4,
        prompt_tokens=1200,
        cached_tokens=1000,
        completion_tokens=42,
        tokens_per_s=19.96,
    )
    return msgspec.structs.replace(status, **changes)


def requests(*known: RequestStatus, num_recent: int = 0) -> Requests:
    """Return requests for answers."""
    recent = RecentFigures(
        window_s=300.0,
        num_requests=num_recent,
        median_ttft_s=0.125 if num_recent else None,
        median_tokens_per_s=21.04 if num_recent else None,
        cached_ratio=0.634 if num_recent else None,
    )
    return Requests(requests=known, recent=recent)


def chunk(text: str | None = None, reason: str | None = None) -> dict[str, Any]:
    """Return a chunk of a chat answer."""
    return {"model": "guide", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]}


USAGE = {
    "model": "guide",
    "choices": [],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}},
    "timings": {"predicted_per_second": 42.0},
}

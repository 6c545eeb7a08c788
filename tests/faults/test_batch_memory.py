"""A batch of many lines: they pass through its process, which grows by little more than their names."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from appliance.jobs.batches.results import output_path
from tests.job_child import ENVIRONMENT

ANSWER = json.dumps({"choices": [{"message": {"content": "boat " * 800}}]}).encode()
MOST_MORE_BYTES = 16 * 2**20


@contextmanager
def answering(home: Path) -> Iterator[None]:
    """Be a daemon that answers everything at once."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        (home / "run").mkdir(parents=True)
        (home / "run" / "daemon.json").write_text(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}))
        (home / "run" / "local.key").write_text("key")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def peak_bytes(home: Path, num_lines: int) -> int:
    """Work a batch off, and return the most memory that its process ever had."""
    path, folder = home / f"{num_lines}.jsonl", home / str(num_lines)
    folder.mkdir()
    asked = {"method": "POST", "url": "/v1/completions"}
    with path.open("w") as stream:
        for number in range(num_lines):
            line = {"custom_id": str(number), **asked, "body": {"prompt": f"{number} " + "boat " * 800}}
            stream.write(json.dumps(line) + "\n")
    arguments = {
        "batch": "batch_1",
        "caller": "local",
        "endpoint": "/v1/completions",
        "input_path": str(path),
        "output_folder": str(folder),
        "expires_s": time.time() + 3600,
    }
    settings = {"max_at_once": 16, "window": None}
    order = {"id": "job-1", "arguments": arguments, "home": str(home), "folder": str(folder), "settings": settings}
    command = [sys.executable, "-P", "-m", "appliance.jobs.batches.batch_job"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    assert process.stdin is not None
    process.stdin.write(json.dumps(order).encode() + b"\n")
    process.stdin.flush()
    _, status, usage = os.wait4(process.pid, 0)
    # The system has told already how it ended; to ask for it once more would be in vain
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdin.close()
    assert process.returncode == 0
    assert len(output_path(folder).read_bytes().splitlines()) == num_lines
    return usage.ru_maxrss * 1024


@pytest.mark.slow
def test_ten_thousand_lines_take_hardly_more_memory_than_a_thousand(tmp_path: Path) -> None:
    with answering(tmp_path):
        assert peak_bytes(tmp_path, 10_000) - peak_bytes(tmp_path, 1_000) < MOST_MORE_BYTES

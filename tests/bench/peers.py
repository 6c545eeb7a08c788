"""Servers that a benchmark starts and stops itself: our daemon in a home of its own, and llama-server."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

READY_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 40.0
_POLL_S = 0.02
_APPLIANCE = (sys.executable, "-P", "-c", "from appliance.cli.main import entry; entry()")


class PeerDied(ConnectionError):
    """A server ended, or never became ready; the message ends with what it wrote last."""


@dataclass
class Peer:
    """One server as a process in a session of its own, so that a ^C reaches only the benchmark, which then stops it."""

    name: str
    port: int
    command: Sequence[str]
    ready_path: str
    folder: Path
    environment: Mapping[str, str]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def start(self) -> float:
        """Start it and return after how many seconds it was ready. Raises: PeerDied."""
        start_s = time.perf_counter()
        with self.log.open("ab") as log:
            self._process = _spawn(self.command, self.environment, log)
        while not _answers_200(self.url + self.ready_path):
            self.check()
            if time.perf_counter() - start_s > READY_TIMEOUT_S:
                self.kill()
                raise PeerDied(f"{self.name} was not ready after {READY_TIMEOUT_S:.0f} s; {self._last_words()}")
            time.sleep(_POLL_S)
        return time.perf_counter() - start_s

    def check(self) -> None:
        """Raise PeerDied unless it runs."""
        if self._process is None or self._process.poll() is not None:
            status = "never started" if self._process is None else f"ended with status {self._process.returncode}"
            raise PeerDied(f"{self.name} {status}; {self._last_words()}")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ask it to end, as a service manager does, and wait; what does not end is killed."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it without a word and wait until its workers, which notice, are gone, too."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """Stop it and delete what it kept."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, signal_number: int) -> None:
        if self._process is None:
            return
        workers = _workers_of(self._process.pid)
        if self._process.poll() is None:
            self._process.send_signal(signal_number)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _, alive = psutil.wait_procs(workers, STOP_TIMEOUT_S)
        for process in alive:
            process.kill()

    def _last_words(self) -> str:
        words = self.log.read_text(errors="replace")[-1500:] if self.log.exists() else ""
        return f"its log ends:\n{words}"


def appliance(checkout: Path, model: Path, settings: Mapping[str, str]) -> Peer:
    """Return our daemon of that checkout with the file as its only wanted model. `settings` go to its environment.

    Raises: PeerDied.
    """
    folder = Path(tempfile.mkdtemp(prefix="bench-appliance-"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
    environment = {**kept, "APPLIANCE_HOME": str(folder), "PYTHONPATH": str(checkout), **settings}
    add = [*_APPLIANCE, "models", "add", str(model), "--name", "bench"]
    if subprocess.run(add, env=environment, stdout=subprocess.DEVNULL).returncode != 0:
        shutil.rmtree(folder)
        raise PeerDied(f"the model {model} could not be added; the reason stands above")
    port = free_port()
    serve = [*_APPLIANCE, "serve", "--port", str(port), "--model", "bench"]
    return Peer("appliance", port, serve, "/ready", folder, environment)


def llama_server(binary: Path, model: Path, num_threads: int, options: Sequence[str]) -> Peer:
    """Return llama-server with sixteen places in one cache of 32,768 tokens, else as it is by default."""
    port = free_port()
    fixed = ["-c", "32768", "-np", "16", "--kv-unified", "--no-webui"]
    command = [str(binary), "-m", str(model), "-t", str(num_threads), *fixed, "--port", str(port), *options]
    folder = Path(tempfile.mkdtemp(prefix="bench-llama-server-"))
    return Peer("llama-server", port, command, "/health", folder, os.environ)


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _spawn(command: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )


def _workers_of(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _answers_200(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False

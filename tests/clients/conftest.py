"""A real daemon for real clients. These tests run in the clients' environments, where nothing of ours is installed."""

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PYTHON = os.environ.get("APPLIANCE_TEST_PYTHON") or str(HERE.parents[1] / ".venv" / "bin" / "python")
START_TIMEOUT_S = 60.0

# A proxy of the machine must not stand between a client and the daemon beside it.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
# LiteLLM would fetch its list of prices anew.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a daemon whose models are those of `daemon.py`."""
    with running_box(tmp_path_factory.mktemp("box") / "home") as url:
        yield url


@contextmanager
def running_box(home: Path) -> Iterator[str]:
    """Give the address of such a daemon, for as long as it is needed."""
    log = home.with_name("log")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
    # Two threads on busy cores wait for each other: a small model is fifty times slower then
    environment = kept | {
        "APPLIANCE_HOME": str(home),
        "APPLIANCE_ENGINE__THREADS": "1",
        "APPLIANCE_ENGINE__CALIBRATE": "off",
        "APPLIANCE_DOWNLOADS__OLLAMA_REGISTRY": "http://127.0.0.1:1",  # nobody outside of this machine is asked
    }
    command = [PYTHON, str(HERE / "daemon.py"), str(home), "--model", "echo"]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream)
    try:
        yield _wait_until_ready(process, home, log)
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


def _wait_until_ready(process: subprocess.Popen[bytes], home: Path, log: Path) -> str:
    """Poll what another process does; there is no event to wait for."""
    found, ends_s = home / "run" / "daemon.json", time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < ends_s and process.poll() is None:
        if found.exists() and (content := found.read_bytes()):
            url = str(json.loads(content)["url"])
            if _is_ready(url):
                return url
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False

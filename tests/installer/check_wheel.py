"""Check our wheel in an environment that holds nothing but it and its locked dependencies. Run by tests/run.

It runs with that environment's Python, far from the checkout, so that nothing of the checkout can stand in.
"""

import asyncio
import contextlib
import importlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import httpx

PACKAGES = ("appliance", "models", "kernels", "tui")
COMMAND = Path(sys.prefix) / "bin" / "appliance"


def check_that_every_import_name_is_ours_alone() -> None:
    owners = packages_distributions()
    for name in PACKAGES:
        assert set(owners[name]) == {"llm-appliance"}, f"{name} belongs to {owners[name]}"
        file = importlib.import_module(name).__file__
        assert file is not None and Path(file).is_relative_to(sys.prefix), f"{name} comes from {file}"


def check_that_no_build_tool_is_left() -> None:
    present = {name.lower() for owners in packages_distributions().values() for name in owners}
    assert not present & {"pip", "setuptools", "cmake", "ninja", "hatchling", "scikit-build-core"}, present


def check_the_version() -> None:
    shown = subprocess.run([COMMAND, "version"], check=True, capture_output=True, text=True).stdout
    assert importlib.import_module("appliance").__version__ in shown, shown


def check_that_it_speaks_chinese() -> None:
    environ = {**os.environ, "LC_ALL": "zh_CN.UTF-8", "PYTHONUTF8": "1"}
    shown = subprocess.run([COMMAND, "ps", "--help"], check=True, capture_output=True, text=True, env=environ).stdout
    assert "用法" in shown, shown


async def look_at_the_terminal(url: str, folder: str) -> None:
    client = importlib.import_module("appliance.client").Client
    app = importlib.import_module("tui.app").Terminal(lambda key: client(url, key), Path(folder))
    async with app.run_test() as pilot:
        for number in "12345678":
            await pilot.press(number)
            await pilot.pause()


@contextlib.contextmanager
def daemon(home: str) -> Iterator[httpx.Client]:
    port = free_port()
    environ = {**os.environ, "APPLIANCE_HOME": home, "PYTHONSAFEPATH": "1"}
    process = subprocess.Popen([COMMAND, "serve", "--port", str(port)], env=environ)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0, "serve did not end cleanly"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(client: httpx.Client, path: str, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if client.get(path).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"{path} was not 200 within {timeout_s} s")


def check_that_it_answers() -> None:
    question = {"model": "guide", "messages": [{"role": "user", "content": "What are you?"}], "max_tokens": 32}
    with tempfile.TemporaryDirectory() as home, daemon(home) as client:
        wait_for(client, "/health", 15)
        answer = client.post("/v1/chat/completions", json=question)
        assert answer.status_code == 200, answer.text
        assert answer.json()["choices"][0]["message"]["content"], answer.text
        check_that_the_page_is_whole(client)
        asyncio.run(look_at_the_terminal(str(client.base_url), home))


def check_that_the_page_is_whole(client: httpx.Client) -> None:
    page = client.get("/", headers={"accept": "text/html"}).text
    paths = re.findall(r'"(/page/[^"]*)"', page)
    assert paths, page
    assert all(client.get(path).status_code == 200 for path in paths), paths


if __name__ == "__main__":
    check_that_every_import_name_is_ours_alone()
    check_that_no_build_tool_is_left()
    check_the_version()
    check_that_it_speaks_chinese()
    check_that_it_answers()

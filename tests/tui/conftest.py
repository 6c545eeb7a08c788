"""The terminal driven by keys: against the shared real daemon, or against prepared answers with fixed times."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_textual_snapshot
from textual.pilot import Pilot

from appliance.client import Client
from tests.conftest import RealDaemon
from tests.unit.cli.fake_daemon import FakeDaemon, Reply, serving, status
from tui.app import Terminal

# The plugin gives syrupy this name in a way that it reads no more: pictures would have names that nobody can open.
pytest_textual_snapshot.SVGImageExtension.file_extension = "svg"

NOW_S = 1_780_000_000.0
"""The time of all pictures: 2026-05-28, 20:26:40 UTC."""
SIZES = {"80x24": (80, 24), "160x48": (160, 48)}
PATIENCE_S = 20

Script = Callable[[Pilot[Any]], Awaitable[None]]
Drive = Callable[..., Terminal]


async def until(pilot: Pilot[Any], claim: Callable[[], object]) -> None:
    """Wait until a claim holds, or a widget that it looks for is there."""
    ends_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            if claim():
                return
        except Exception:
            if time.monotonic() > ends_s:
                raise
        assert time.monotonic() < ends_s, f"in vain; seen at last:\n{seen(pilot.app)}"
        await pilot.pause(0.02)


def seen(app: Any) -> str:
    """Return what the screen shows as text."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)


async def until_seen(pilot: Pilot[Any], *texts: str) -> None:
    """Wait until all these texts are on the screen."""
    await until(pilot, lambda: all(text in seen(pilot.app) for text in texts))


def driven(app: Terminal, script: Script, size: tuple[int, int] = (100, 30)) -> Terminal:
    """Run an application, with the script at its keys, to its end."""

    async def run() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await script(pilot)

    asyncio.run(run())
    return app


@pytest.fixture
def drive(real_daemon: RealDaemon, tmp_path: Path) -> Drive:
    """Drive the terminal of the real daemon, whose model is ready; the script begins when it is connected."""
    for _ in real_daemon.client.load("guide"):
        pass

    def start(script: Script, size: tuple[int, int] = (100, 30)) -> Terminal:
        key = real_daemon.client._transport._key
        app = Terminal(lambda typed: Client(real_daemon.url, typed or key), tmp_path)

        async def connected(pilot: Pilot[Any]) -> None:
            await until(pilot, lambda: app.box.status)
            await script(pilot)

        return driven(app, connected, size)

    return start


@pytest.fixture
def fake_box(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDaemon]:
    """A box with prepared answers. It serves one model and tells no news; prepare all else."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    has_ended = threading.Event()

    def silence() -> Iterator[bytes]:
        yield b": nothing happens\n\n"
        has_ended.wait(PATIENCE_S)

    with serving() as daemon:
        daemon.reply("GET", "/admin/v1/status", status())
        daemon.replies["GET", "/admin/v1/events?last=200&types="] = Reply(silence())
        yield daemon
        has_ended.set()
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def fake_terminal(fake_box: FakeDaemon, tmp_path: Path) -> Terminal:
    """The terminal of the prepared box, at a fixed time."""
    # The address is in every picture, the port would be another each time
    app = Terminal(lambda key: Client(fake_box.url, key), tmp_path, now_s=lambda: NOW_S)
    app.box.url = "http://box.local:8484"
    return app


def at_rest(*texts: str) -> Script:
    """Return a script for a picture: wait until these texts are seen."""

    async def wait(pilot: Pilot[Any]) -> None:
        await until_seen(pilot, *texts)

    return wait

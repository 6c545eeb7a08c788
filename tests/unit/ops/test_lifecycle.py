"""One daemon for each home, and what systemd hears."""

import asyncio
import logging
import os
import signal
import socket
import stat
from io import StringIO
from pathlib import Path

import pytest

from appliance.client.runfiles import DAEMON_FILE, KEY_FILE
from appliance.errors import Conflict
from appliance.ops.lifecycle import ServiceManager, lock_home, watch_signals
from appliance.ops.logs import set_up_logging
from appliance.ops.runfiles import run_files


def test_a_home_has_one_daemon_and_the_second_is_told_which(tmp_path: Path) -> None:
    with lock_home(tmp_path), pytest.raises(Conflict, match=f"process {os.getpid()}"):
        lock_home(tmp_path)
    lock_home(tmp_path).close()


def test_the_first_signal_stops_and_the_next_stops_now() -> None:
    async def listen() -> list[str]:
        heard: list[str] = []
        now = asyncio.Event()
        watch_signals(lambda: heard.append("stop"), lambda: (heard.append("now"), now.set()))
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(now.wait(), 5)
        return heard

    assert asyncio.run(listen()) == ["stop", "now"]


def test_systemd_hears_the_state_and_the_watchdog(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        manager = ServiceManager(str(tmp_path / "notify"), "20000")
        manager.tell("READY=1")
        assert systemd.recv(100) == b"READY=1"
        assert manager.watchdog_interval_s == 0.01

        async def listen() -> None:
            turning = asyncio.create_task(manager.keep_watchdog())
            for _ in range(2):
                assert await asyncio.to_thread(systemd.recv, 100) == b"WATCHDOG=1"
            turning.cancel()

        asyncio.run(listen())


@pytest.mark.parametrize("address", [None, "", "/nowhere/at/all"])
def test_without_systemd_nothing_is_said(address: str | None) -> None:
    manager = ServiceManager(address, None)
    manager.tell("READY=1")
    asyncio.run(manager.keep_watchdog())


def test_the_run_files_are_the_owners_and_go_with_the_daemon(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / KEY_FILE).touch(mode=0o644)
    with run_files(tmp_path, "http://127.0.0.1:1", "sk-x"):
        assert (tmp_path / KEY_FILE).read_text() == "sk-x"
        assert b"http://127.0.0.1:1" in (tmp_path / DAEMON_FILE).read_bytes()
        assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert not (tmp_path / KEY_FILE).exists()
    assert not (tmp_path / DAEMON_FILE).exists()


def test_the_log_is_plain_where_nobody_looks_and_quiet_about_libraries() -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = StringIO()
    try:
        set_up_logging("info", stream)
        logging.getLogger("appliance.test").info("a fact")
        logging.getLogger("appliance.test").debug("a detail")
        logging.getLogger("a_library").info("chatter")
        logging.getLogger("a_library").warning("trouble")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    lines = stream.getvalue().splitlines()
    assert [line[20:] for line in lines] == ["INFO    a fact", "WARNING trouble"]

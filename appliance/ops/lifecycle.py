"""The daemon as a process: its home's lock, signals, and what systemd wants to hear."""

import asyncio
import fcntl
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import IO

from appliance.errors import Conflict


def lock_home(home: Path) -> IO[str]:
    """Return the open lock file of `home`, locked while it is open. Raises: Conflict, when another daemon has it."""
    run = home / "run"
    run.mkdir(parents=True, exist_ok=True)
    stream = (run / "daemon.lock").open("a+")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.seek(0)
        owner = stream.read().strip() or "unknown"
        stream.close()
        raise Conflict(
            f"{home} belongs to a running daemon (process {owner}); "
            "stop it first or set APPLIANCE_HOME to another folder"
        ) from None
    stream.truncate(0)
    stream.write(str(os.getpid()))
    stream.flush()
    return stream


class DrainSwitch:
    """Asks the daemon to end in order, as the first signal does. Used on the daemon's loop."""

    def __init__(self) -> None:
        self.is_flipped = asyncio.Event()

    def flip(self) -> None:
        """Ask; to ask again changes nothing."""
        self.is_flipped.set()


def watch_signals(on_stop: Callable[[], None], on_stop_now: Callable[[], None]) -> None:
    """Call `on_stop` at the first SIGTERM or SIGINT and `on_stop_now` at each later one. Needs the running loop."""
    loop = asyncio.get_running_loop()
    signals_seen = 0

    def handle() -> None:
        nonlocal signals_seen
        signals_seen += 1
        (on_stop if signals_seen == 1 else on_stop_now)()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle)


class ServiceManager:
    """Tells systemd how the daemon is; silent where nobody listens. Source: sd_notify(3)."""

    def __init__(self, address: str | None, watchdog_us: str | None) -> None:
        self._address = "\0" + address[1:] if address and address.startswith("@") else address
        usec = int(watchdog_us) if watchdog_us and watchdog_us.isdecimal() else 0
        self.watchdog_interval_s = usec / 2_000_000 if self._address and usec else None

    def tell(self, message: str) -> None:
        """Send one state, such as `READY=1`. A manager that went away is no reason to fail."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel:
            try:
                channel.sendto(message.encode(), self._address)
            except OSError:
                return

    async def keep_watchdog(self) -> None:
        """Say twice in each watchdog period that the loop still turns; return at once when nobody asked."""
        while self.watchdog_interval_s is not None:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_interval_s)

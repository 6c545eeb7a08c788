"""How hard a download tries, and what holds it back."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from models.fetch.pace import Pace
from models.fetch.window import Window


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """Connections, sizes and patience. `max_failures` are those of a connection in a row, while no byte comes."""

    num_connections: int = 4
    min_piece_bytes: int = 2**22
    max_piece_bytes: int = 2**26
    write_bytes: int = 2**19
    connect_timeout_s: float = 15.0
    stall_timeout_s: float = 30.0
    max_failures: int = 10
    backoff_s: float = 0.5
    max_backoff_s: float = 60.0
    max_wait_s: float = 900.0
    keep_every_s: float = 2.0


class Brakes:
    """The limits on speed, and the hours in which anything may come at all."""

    def __init__(
        self,
        paces: Sequence[Pace] = (),
        window: Window | None = None,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._paces = paces
        self._window = window
        self._now = now

    def take(self, num_bytes: int) -> float:
        """Let bytes through and return how many seconds to wait before the next ones are asked for."""
        return max((pace.take(num_bytes) for pace in self._paces), default=0.0)

    def opens_at(self) -> datetime | None:
        """Return when bytes may come again, None while they may."""
        return None if self._window is None else self._window.opens_at(self._now())

"""The wire structs of `/admin/v1/events` and `/admin/v1/logs`."""

from typing import Literal

import msgspec

LogLevel = Literal["debug", "info", "warning", "error", "critical"]
LOG_LEVELS: tuple[LogLevel, ...] = ("debug", "info", "warning", "error", "critical")


class FeedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened, at `time_s` (Unix time). `seq` grows from event to event, also over restarts.

    `type` is a name with a dot, of which the first part is `model`, `request`, `job` or `memory`; or `log`, whose data
    is a `LogLine`; or `missed`: more happened than is remembered, so whoever keeps a picture asks for it anew.
    """

    seq: int
    time_s: float
    type: str
    data: dict[str, object]


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the daemon's log; `source` is the module that wrote it."""

    seq: int
    time_s: float
    level: LogLevel
    source: str
    message: str


class LogLines(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/logs`: oldest first."""

    lines: tuple[LogLine, ...]

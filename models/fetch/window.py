"""The hours of the day in which work runs, such as `22:00-06:00`. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

_WINDOW = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)")
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """From one minute of the day until another, which may be that of the next day."""

    from_minute: int
    until_minute: int

    @classmethod
    def parse(cls, text: str) -> "Window":
        """Return the window that `22:00-06:00` means. Raises: ValueError."""
        match = _WINDOW.fullmatch(text.strip())
        parts = [int(part) for part in match.groups()] if match else []
        if parts[:2] == parts[2:]:
            raise ValueError(f"{text!r} is no time of the day; write it as 22:00-06:00")
        return cls(parts[0] * 60 + parts[1], parts[2] * 60 + parts[3])

    def opens_at(self, now: datetime) -> datetime | None:
        """Return when the window opens next, None while it is open. `now` is local time."""
        minute = now.hour * 60 + now.minute
        if (minute - self.from_minute) % _DAY_MINUTES < (self.until_minute - self.from_minute) % _DAY_MINUTES:
            return None
        opens = now.replace(hour=self.from_minute // 60, minute=self.from_minute % 60, second=0, microsecond=0)
        return opens if opens > now else opens + timedelta(days=1)


def is_window(text: str) -> bool:
    """Return whether a text means a window."""
    try:
        Window.parse(text)
    except ValueError:
        return False
    return True

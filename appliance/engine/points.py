"""What a calibration has measured so far, in the folder of its job: one that was stopped goes on behind it."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil

from appliance.backends.speed import Rate
from appliance.child import Reporter
from appliance.core.plan import Calibration
from models.files import replace_atomically


class Points(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens a second by what was done, and what holds for all of it; `threads` None: not told yet."""

    rates: dict[str, float] = {}
    threads: Calibration | None = None
    memory_bytes: int = 0
    is_disturbed: bool = False


class PointsFile:
    """The points of one job, each on the disk as soon as it is there."""

    def __init__(self, report: Reporter, num_points: int) -> None:
        """To be made before the model is loaded: what the process takes now is not the model's."""
        self._path = report.folder / "points.json"
        self._report = report
        self._num_points = num_points
        self._bare_bytes = psutil.Process().memory_info().rss
        self.points = self._read()

    def progress(self, text: str) -> None:
        """Say what is done now."""
        self._report.progress(text, len(self.points.rates), self._num_points, "points")

    def rate(self, name: str, measure: Callable[[], Rate]) -> float:
        """Return how many tokens a second there were, measured now if they were not before."""
        if name not in self.points.rates:
            self.progress(f"measuring {name}")
            rate = measure()
            self._keep(
                rates={**self.points.rates, name: rate.tokens_per_s},
                memory_bytes=max(self.points.memory_bytes, _peak_bytes() - self._bare_bytes),
                is_disturbed=self.points.is_disturbed or rate.is_disturbed,
            )
        return self.points.rates[name]

    def threads(self, measure: Callable[[], Calibration | None]) -> Calibration | None:
        """Return the best numbers of threads, None where they cannot be told."""
        if self.points.threads is None:
            self.progress("trying numbers of threads")
            self._keep(threads=measure())
        return self.points.threads

    def _keep(self, **changes: object) -> None:
        self.points = msgspec.structs.replace(self.points, **changes)
        with replace_atomically(self._path) as stream:
            stream.write(msgspec.json.encode(self.points))

    def _read(self) -> Points:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Points)
        except (FileNotFoundError, msgspec.DecodeError):
            return Points()


def _peak_bytes() -> int:
    """Return the most memory that this process ever had; where no file says it, what it has now.

    What `getrusage` calls the peak is that of the process that started this one, if that was larger.
    """
    peak = None
    with suppress(OSError):
        peak = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    return int(peak[1]) * 1024 if peak else int(psutil.Process().memory_info().rss)

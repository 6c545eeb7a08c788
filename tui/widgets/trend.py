"""Trends: how a figure went lately, a label, its value with a unit, and small columns, all in one row.

Nothing in a row moves when values change: label and value have fixed widths, and a column stands for the same moments
until it has left at the left end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.app import RenderResult
from textual.geometry import Size
from textual.widget import Widget

from .figures import at_left, joined
from .tones import Tone, Toned, to_text

VALUE_WIDTH = 8
MIN_ROWS = 4
_GAP = 3
_MIN_WIDTH = 32
_LEVELS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Trend:
    """One figure. `values` are equally far apart, the newest last, None where nothing is known.

    The columns go from `low` to `high`; None for that means the highest value, yet `least_high` at least.
    `num_before` values came before these: they tell which values share a column.
    """

    label: str
    value: str
    values: Sequence[float | None]
    low: float = 0.0
    high: float | None = None
    least_high: float = 0.0
    tone: Tone = "secondary"
    num_before: int = 0


def columns(trend: Trend, width: int, num_lines: int = 1) -> tuple[str, ...]:
    """Return the newest values as `width` small columns, so many lines high, the top line first.

    There are as many values in each as leave no column without one.
    """
    if width <= 0:
        return ("",) * num_lines
    per_column = max(1, len(trend.values) // width)
    values: dict[int, list[float]] = {}
    for number, value in enumerate(trend.values, trend.num_before):
        if value is not None:
            values.setdefault(number // per_column, []).append(value)
    last = (trend.num_before + len(trend.values) - 1) // per_column
    shown = [values.get(place) for place in range(last - width + 1, last + 1)]
    means = [None if each is None else sum(each) / len(each) for each in shown]
    high = trend.high
    if high is None:
        high = max(trend.least_high, *(mean for mean in means if mean is not None), 0.0)
    heights = [_height(mean, trend.low, high, num_lines) for mean in means]
    return tuple("".join(_part(height, line) for height in heights) for line in reversed(range(num_lines)))


def lines(trend: Trend, label_width: int, width: int, num_lines: int = 1) -> tuple[Toned, ...]:
    """Return a trend as lines of `width` cells; label and value stand in the first."""
    start_width = label_width + VALUE_WIDTH + 3
    value_tone: Tone = "" if trend.tone == "secondary" else trend.tone
    first = joined(
        ((at_left(trend.label, label_width + 1), "muted"),), ((f"{trend.value:>{VALUE_WIDTH}}  ", value_tone),)
    )
    drawn = columns(trend, width - start_width, num_lines)
    starts = (first, *(" " * start_width,) * (num_lines - 1))
    return tuple(joined(start, ((line, trend.tone),)) for start, line in zip(starts, drawn, strict=True))


class Trends(Widget):
    """Shows trends below each other, `MIN_ROWS` first, then beside each other; with room to spare they are higher."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._trends: tuple[Trend, ...] = ()

    def show(self, trends: Sequence[Trend]) -> None:
        """Show these trends."""
        before, self._trends = self._trends, tuple(trends)
        if before != self._trends:
            self.refresh(layout=len(before) != len(self._trends))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of rows that the trends need."""
        return self._num_rows(width)

    def render(self) -> RenderResult:
        """Put one column of trends beside the other."""
        width, num_rows = self.size.width, self._num_rows(self.size.width)
        num_columns = max(1, -(-len(self._trends) // num_rows))
        each = (width - _GAP * (num_columns - 1)) // num_columns
        label_width = max((cell_len(trend.label) for trend in self._trends), default=0)
        room = self.size.height // num_rows
        num_lines = max(1, room - 1)  # what is higher than a line has one between
        blank = (" " * each,) * (room - num_lines)
        shown = [(*lines(trend, label_width, each, num_lines), *blank) for trend in self._trends]
        rows = [
            joined(*_apart(beside))
            for number in range(num_rows)
            for beside in zip(*shown[number::num_rows], strict=True)
        ]
        text = to_text("\n", {}).join(to_text(row, self.app.theme_variables) for row in rows)
        text.no_wrap = True
        return text

    def _num_rows(self, width: int) -> int:
        max_columns = max(1, (width + _GAP) // (_MIN_WIDTH + _GAP))
        return max(MIN_ROWS, -(-len(self._trends) // max_columns))


def _apart(rows: Sequence[Toned]) -> list[Toned]:
    return [part for number, each in enumerate(rows) for part in ((" " * _GAP, each) if number else (each,))]


def _height(mean: float | None, low: float, high: float, num_lines: int) -> int | None:
    """Return how many eighths of a line a column is high: at least one, where anything is known."""
    if mean is None:
        return None
    share = (mean - low) / (high - low) if high > low else 0.0
    return max(1, min(num_lines * len(_LEVELS), round(share * num_lines * len(_LEVELS))))


def _part(height: int | None, line: int) -> str:
    """Return what of a column lies in a line, counted from below."""
    left = 0 if height is None else min(len(_LEVELS), height - line * len(_LEVELS))
    return _LEVELS[left - 1] if left > 0 else " "

"""The daemon's log as it is written: from which level up, and only lines that hold what was typed."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from appliance.core.feed import LOG_LEVELS, FeedEvent, LogLevel, LogLine
from appliance.words import tr
from tui.widgets.lines import Lines
from tui.widgets.tones import Tone, Toned

from .place import Place

MAX_LINES = 5000
_TONES: dict[LogLevel, Tone] = {
    "debug": "muted",
    "info": "",
    "warning": "warning",
    "error": "error",
    "critical": "error",
}


class LogsPlace(Place):
    """Keeps the newest lines, of which those are shown that the person wants to see."""

    CSS_PATH = "logs.tcss"
    AUTO_FOCUS = "#lines"
    EXPLAINS = (
        "What the daemon writes into its log, as it happens. New lines appear at the end as long as you stand there; "
        "scroll up to read in peace. Prompts, answers and keys are never logged."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("l", "level(1)", "Level"),
        Binding("L", "level(-1)", show=False),
        Binding("end,G", "end", "Newest", key_display="End"),
        Binding("c", "copy", "Copy"),
        Binding("escape", "clear", show=False),
    ]

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._lines: deque[LogLine] = deque(maxlen=MAX_LINES)
        self._shown: list[LogLine] = []
        self._level: LogLevel = "info"

    def body(self) -> Iterable[Any]:
        """Yield the lines below what chooses them."""
        with Horizontal(id="bar"):
            yield Static(id="level", markup=False)
            yield Input(placeholder=tr("filter: press / and type"), id="filter", compact=True)
            yield Static(id="count", markup=False)
        yield Lines(id="lines")

    def on_mount(self) -> None:
        """Give the keys to the lines."""
        self.query_one(Lines).focus()
        self._show_all()

    async def renew(self) -> None:
        """Fetch what was written while nobody listened; what comes after it is heard."""
        lines = await self.box.ask(lambda client: client.log_lines(last=MAX_LINES, level="debug"))
        newest = lines[-1].seq if lines else 0
        later = [line for line in self._lines if line.seq > newest]
        self._lines = deque((*lines, *later), maxlen=MAX_LINES)
        self._show_all()

    def hear(self, events: Sequence[FeedEvent]) -> None:
        """Add the lines that were written."""
        if any(event.type == "missed" for event in events):
            self.renew_soon()
        told = (msgspec.convert(event.data, LogLine) for event in events if event.type == "log")
        newest = self._lines[-1].seq if self._lines else 0
        new = [line for line in told if line.seq > newest]  # what was before the connection is told, too
        if not new:
            return
        oldest = self._lines[0].seq if len(self._lines) == MAX_LINES else 0
        self._lines.extend(new)
        wanted = [line for line in new if self._is_wanted(line)]
        first = self._lines[0].seq
        num_gone = sum(line.seq < first for line in self._shown) if oldest else 0
        self._shown = self._shown[num_gone:] + wanted
        self._show(num_gone)

    def on_input_changed(self) -> None:
        """Show what holds the text, with every letter that is typed."""
        self._show_all()

    def on_input_submitted(self) -> None:
        """Go from the filter to the lines."""
        self.query_one(Lines).focus()

    def action_filter(self) -> None:
        """Begin to type what the lines must hold."""
        self.query_one("#filter", Input).focus()

    def action_clear(self) -> None:
        """Show all lines again."""
        self.query_one("#filter", Input).value = ""
        self.query_one(Lines).focus()

    def action_level(self, step: int) -> None:
        """Show the lines from the next level up."""
        self._level = LOG_LEVELS[(LOG_LEVELS.index(self._level) + step) % len(LOG_LEVELS)]
        self._show_all()

    def action_end(self) -> None:
        """Go to the newest line and stay with it."""
        self.query_one(Lines).scroll_end(animate=False)

    def action_copy(self) -> None:
        """Copy the lines that are shown."""
        self.app.copy_to_clipboard("\n".join(_text(line) for line in self._shown))

    def _is_wanted(self, line: LogLine) -> bool:
        wanted = self.query_one("#filter", Input).value.strip().lower()
        return LOG_LEVELS.index(line.level) >= LOG_LEVELS.index(self._level) and (
            not wanted or wanted in line.message.lower() or wanted in line.source.lower()
        )

    def _show_all(self) -> None:
        self._shown = [line for line in self._lines if self._is_wanted(line)]
        self._show(0)

    def _show(self, num_gone: int) -> None:
        self.query_one("#level", Static).update(tr("from level: {level}", level=self._level))
        counted = tr("{shown} of {all} lines", shown=len(self._shown), all=len(self._lines))
        self.query_one("#count", Static).update(counted)
        self.query_one(Lines).show(_Painted(self._shown), num_gone=num_gone)


class _Painted(Sequence[Toned]):
    """Lines that are painted when they are looked at."""

    def __init__(self, lines: Sequence[LogLine]) -> None:
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, number: Any) -> Any:
        return _painted(self._lines[number])


def _painted(line: LogLine) -> Toned:
    tone = _TONES[line.level]
    source = line.source.removeprefix("appliance.")
    return (
        (f"{_clock(line)} ", "muted"),
        (f"{line.level:<8} ", tone),
        (f"{source:<22.22} ", "muted"),
        (line.message, tone if tone != "muted" else ""),
    )


def _text(line: LogLine) -> str:
    return f"{_clock(line)} {line.level} {line.source}: {line.message}"


def _clock(line: LogLine) -> str:
    return datetime.fromtimestamp(line.time_s).strftime("%H:%M:%S")

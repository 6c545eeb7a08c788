"""Tables, numbers and text that cannot command the terminal."""

import io
import sys

import pytest

from appliance.cli.output import count, fields, printable, table
from appliance.cli.progress import show_progress
from appliance.core.admin import Done, Progress
from tests.unit.cli.fake_daemon import installed


def test_columns_are_aligned_and_lines_end_with_their_text() -> None:
    assert table(("NAME", "SIZE", ""), [("a", "1", ""), ("bcdef", "200", "x")], right=("SIZE",)).splitlines() == [
        "NAME   SIZE",
        "a         1",
        "bcdef   200  x",
    ]


def test_a_cell_is_one_line_without_control_characters() -> None:
    assert table(("A",), [("x\x1b[31m\ny",)]) == "A\nx[31m y"
    assert fields([("name", "x\ny"), ("state", None)]) == "name   x y\nstate  unknown"


def test_text_of_a_model_cannot_move_the_cursor_but_keeps_its_lines_and_letters() -> None:
    assert printable("a\x1b]0;title\x07\r\x9b2J\n\tü 漢 😀") == "a]0;title2J\n\tü 漢 😀"


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "-"), (0, "0"), (999, "999"), (1000, "1K"), (920_000, "920K"), (596_049_920, "596M"), (7.6e9, "7.6B")],
)
def test_counts_are_short(number: float | None, text: str) -> None:
    assert count(number) == text


def test_on_a_terminal_progress_is_a_bar_that_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stderr", Terminal())
    events = [Progress(text="reading [a]", done=2**20, total=2**21, unit="bytes"), Done(model=installed())]

    model = show_progress(iter(events), is_json=False)

    shown = sys.stderr.getvalue()
    assert model == installed()
    assert "reading [a]" in shown
    assert "1.0 MiB of 2.0 MiB" in shown
    assert "\x1b[3" not in shown
    assert shown.endswith("\x1b[2K")

"""The place of the log."""

from typing import Any

import pytest
from textual.pilot import Pilot

from appliance.core.feed import LogLine, LogLines
from tests.tui.conftest import NOW_S, SIZES, Drive, at_rest, driven, seen, until_seen
from tests.unit.cli.fake_daemon import FakeDaemon
from tui.app import Terminal

LOGS = "/admin/v1/logs?last=5000&level=debug"


def line(seq: int, message: str, level: Any = "info", source: str = "appliance.scheduler.pool") -> LogLine:
    return LogLine(seq=seq, time_s=NOW_S - 100 + seq, level=level, source=source, message=message)


@pytest.fixture
def logging_box(fake_box: FakeDaemon) -> FakeDaemon:
    lines = (
        line(1, "appliance 0.1.0 listens on http://box.local:8484", source="appliance.app.serve"),
        line(2, "model 'guide' is loading"),
        line(3, "a detail that few want to see", "debug"),
        line(4, "model 'qwen3' needs 5.1 GiB, 3.8 GiB are free", "warning", "appliance.scheduler.residency"),
        line(5, "the process of model 'qwen3' ended", "error", "appliance.link.process"),
        line(6, "a name in [brackets] is no markup"),
    )
    fake_box.reply("GET", LOGS, LogLines(lines=lines))
    return fake_box


@pytest.mark.parametrize("size", SIZES)
def test_it_looks_as_it_did(logging_box: FakeDaemon, fake_terminal: Terminal, snap_compare: Any, size: str) -> None:
    async def go(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("logs")
        await at_rest("5 of 6 lines", " ●")(pilot)

    assert snap_compare(fake_terminal, terminal_size=SIZES[size], run_before=go)


def test_a_filter_leaves_the_lines_that_hold_it_and_escape_gives_all_back(
    logging_box: FakeDaemon, fake_terminal: Terminal
) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("logs")
        await until_seen(pilot, "5 of 6 lines")
        await pilot.press("slash", *"qwen3", "enter")
        await until_seen(pilot, "2 of 6 lines")
        assert "guide" not in seen(pilot.app)
        await pilot.press("escape")
        await until_seen(pilot, "5 of 6 lines")

    driven(fake_terminal, script)


def test_a_level_leaves_out_what_is_less(logging_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("logs")
        await until_seen(pilot, "[brackets]")
        await pilot.press("l")
        await until_seen(pilot, "from level: warning", "2 of 6 lines")
        await pilot.press("L", "L")
        await until_seen(pilot, "from level: debug", "6 of 6 lines")

    driven(fake_terminal, script)


def test_what_is_shown_can_be_copied(logging_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("logs")
        await until_seen(pilot, "5 of 6 lines")
        await pilot.press("slash", *"brackets", "enter", "c")
        assert pilot.app.clipboard == "20:25:06 info appliance.scheduler.pool: a name in [brackets] is no markup"

    driven(fake_terminal, script)


def test_a_line_that_is_written_now_appears(drive: Drive) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("logs")
        await until_seen(pilot, "from level: info")
        await pilot.press("slash", *"guide", "enter")
        await until_seen(pilot, "'guide' is ready")
        await pilot.app.box.ask(lambda client: client.unload("guide"))
        await until_seen(pilot, "'guide' is stopped")

    drive(script)


def test_the_newest_line_is_seen_until_somebody_goes_up(fake_box: FakeDaemon, fake_terminal: Terminal) -> None:
    def wrote(number: int) -> None:
        lines = tuple(line(each, f"line {each} of them") for each in range(number))
        fake_box.reply("GET", LOGS, LogLines(lines=lines))

    async def script(pilot: Pilot[Any]) -> None:
        wrote(200)
        pilot.app.action_go("logs")
        await until_seen(pilot, "line 199 of them")
        await pilot.resize_terminal(80, 15)
        await until_seen(pilot, "line 199 of them")
        await pilot.press("pageup", "pageup")
        wrote(300)
        await pilot.app.screen.renew()
        await until_seen(pilot, "300 of 300")
        assert "line 299" not in seen(pilot.app)
        await pilot.press("end")
        await until_seen(pilot, "line 299 of them")
        wrote(400)
        await pilot.app.screen.renew()
        await until_seen(pilot, "line 399 of them")

    driven(fake_terminal, script)

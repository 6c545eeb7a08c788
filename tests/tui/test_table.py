"""The table that all places show their rows in."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tests.tui.conftest import seen
from tui.widgets.table import Column, Row, Table
from tui.widgets.tones import toned

COLUMNS = (Column("name", "Name"), Column("size", "Size", 6, "right"), Column("far", "Far", 8, from_width=60))


class Page(App[None]):
    def compose(self) -> ComposeResult:
        yield Table(COLUMNS)


def on_page(script: Callable[[Pilot[Any], Table], Awaitable[None]], width: int = 40) -> None:
    async def run() -> None:
        async with Page().run_test(size=(width, 8)) as pilot:
            await script(pilot, pilot.app.query_one(Table))

    asyncio.run(run())


def rows(*names: str, size: str = "1 MiB") -> list[Row]:
    return [Row(name, {"name": name, "size": toned(size, "muted"), "far": "away"}) for name in names]


def lines(pilot: Pilot[Any]) -> list[str]:
    return seen(pilot.app).splitlines()


def test_cells_stand_in_their_columns_and_what_is_too_long_is_cut() -> None:
    async def script(pilot: Pilot[Any], table: Table) -> None:
        table.show(rows("a", "a-name-that-is-longer-than-its-column-is"))
        await pilot.pause()
        assert lines(pilot)[0].split() == ["Name", "Size"]
        assert lines(pilot)[1] == " a                              1 MiB"
        assert lines(pilot)[2].startswith(" a-name-that-is-longer-than-… ")

    on_page(script)


def test_a_wide_table_has_more_columns() -> None:
    async def script(pilot: Pilot[Any], table: Table) -> None:
        table.show(rows("a"))
        await pilot.pause()
        assert lines(pilot)[0].split() == ["Name", "Size", "Far"]

    on_page(script, width=80)


def test_the_cursor_stays_with_its_row() -> None:
    async def script(pilot: Pilot[Any], table: Table) -> None:
        table.show(rows("a", "b", "c"))
        await pilot.pause()
        table.go_to("b")
        table.show(rows("new", "a", "b", "c", size="2 MiB"))
        await pilot.pause()
        assert table.chosen == "b"
        assert lines(pilot)[3].split() == ["b", "2", "MiB"]

    on_page(script)


def test_a_row_that_changed_is_painted_anew() -> None:
    async def script(pilot: Pilot[Any], table: Table) -> None:
        table.show(rows("a", "b"))
        await pilot.pause()
        table.show([*rows("a"), *rows("b", size="9 MiB")])
        await pilot.pause()
        assert "9 MiB" in lines(pilot)[2]

    on_page(script)


def test_a_click_chooses_a_row() -> None:
    async def script(pilot: Pilot[Any], table: Table) -> None:
        table.show(rows("a", "b", "c"))
        await pilot.pause()
        await pilot.click(Table, offset=(3, 3))
        assert table.chosen == "c"

    on_page(script)


def test_what_a_box_says_commands_no_terminal() -> None:
    async def script(pilot: Pilot[Any], table: Table) -> None:
        table.show([Row("a", {"name": "a\x1b[2Jb\nc", "size": ""})])
        await pilot.pause()
        assert "a[2Jb c" in lines(pilot)[1]
        assert "\x1b" not in seen(pilot.app)

    on_page(script)

"""A table whose rows come anew all the time: the cursor, the scroll position and what did not change stay.

A row is painted from its own cells in one go: as a cell of any shape, each would cost a fifth of a millisecond, and a
page of a wide terminal has four hundred of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip
from textual.widgets import DataTable

from appliance.words import tr

from .figures import cut, parts
from .tones import Toned, plain, printable, to_style


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `title` is English. Exactly one of a table has no `width`: it takes the room that the others leave.

    It is left out where the table is less than `from_width` cells wide.
    """

    name: str
    title: str
    width: int | None = None
    align: Literal["left", "right"] = "left"
    from_width: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A row with a key that stays the same as long as it is about the same thing; a cell for each column by name."""

    key: str
    cells: dict[str, Toned]


class Table(DataTable[str]):
    """Shows rows in columns that fit the width. `rows` are all that are shown now, in their order."""

    def __init__(self, columns: Sequence[Column], *, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="row", zebra_stripes=False, cell_padding=1)
        self._all = tuple(columns)
        self._shown: tuple[Column, ...] = ()
        self._fill = 0
        self.items: tuple[Row, ...] = ()

    @property
    def chosen(self) -> str | None:
        """Return the key of the row under the cursor."""
        return self.items[self.cursor_row].key if 0 <= self.cursor_row < len(self.items) else None

    def show(self, rows: Iterable[Row]) -> None:
        """Show these rows; only those that changed are painted anew where the keys are the same as before."""
        before, self.items = self.items, tuple(rows)
        if not self._shown:
            return
        if [row.key for row in before] != [row.key for row in self.items]:
            if not self._has_kept_chosen(before):
                self._write_all(before)
            return
        for number, (old, new) in enumerate(zip(before, self.items, strict=True)):
            if any(old.cells.get(each.name) != new.cells.get(each.name) for each in self._shown):
                self.refresh_row(number)

    def go_to(self, key: str) -> None:
        """Put the cursor on the row with that key, if it is there."""
        for number, row in enumerate(self.items):
            if row.key == key:
                self.move_cursor(row=number)

    def on_resize(self, resized: events.Resize) -> None:
        """Choose the columns and their widths anew."""
        # The bar at the right edge is there or not as rows come and go: its room is kept free.
        width = resized.size.width - self.styles.scrollbar_size_vertical
        shown = tuple(column for column in self._all if width >= column.from_width)
        fixed = sum((column.width or 0) + 2 * self.cell_padding for column in shown)
        fill = max(8, width - fixed)
        if (shown, fill) != (self._shown, self._fill):
            self._shown, self._fill = shown, fill
            self._write_all(self.items)

    def render_line(self, y: int) -> Strip:
        """Return one row of what is seen, the titles at the top."""
        width, base = self.size.width, self.rich_style
        number = y - self.show_header + self.scroll_offset.y if y >= self.show_header else -1
        if number >= len(self.items):
            return Strip.blank(width, base)
        style, over = base, Style.null()
        if number < 0:
            style += self.get_component_styles("datatable--header").rich_style
            cells: dict[str, Toned] = {column.name: tr(column.title) for column in self._shown}
        else:
            cells = self.items[number].cells
            if self.show_cursor and number == self.cursor_row:
                over = self.get_component_styles("datatable--cursor").rich_style
            elif self._show_hover_cursor and number == self.hover_row:
                over = self.get_component_styles("datatable--hover").rich_style
        return Strip(self._painted(number, cells, style, over)).adjust_cell_length(width, style + over)

    def _painted(self, number: int, cells: dict[str, Toned], style: Style, over: Style) -> Iterator[Segment]:
        """Yield a row's cells; `over` is the cursor, which goes before the colours of what it lies on."""
        colours = self.app.theme_variables
        for place, column in enumerate(self._shown):
            base = style + Style.from_meta({"row": number, "column": place})  # by which a click finds its row
            text = cut(printable(cells.get(column.name, "")), self._width(column))
            blank = self._width(column) - cell_len(plain(text))
            before, after = (blank, 0) if column.align == "right" else (0, blank)
            yield Segment(" " * (1 + before), base + over)
            for part, tone in parts(text):
                yield Segment(part, base + to_style(tone, colours) + over)
            yield Segment(" " * (after + 1), base + over)

    def _write_all(self, before: Sequence[Row]) -> None:
        chosen = before[self.cursor_row].key if 0 <= self.cursor_row < len(before) else None
        number, offset = self.cursor_row, self.scroll_offset
        self.clear(columns=True)
        for column in self._shown:
            self.add_column("", width=self._width(column), key=column.name)
        self.add_rows([("",) * len(self._shown)] * len(self.items))
        keys = [row.key for row in self.items]
        self.move_cursor(row=keys.index(chosen) if chosen in keys else min(number, max(0, len(keys) - 1)))
        self.scroll_to(offset.x, offset.y, animate=False)

    def _has_kept_chosen(self, before: Sequence[Row]) -> bool:
        """Take other rows where nothing but the cursor has to move; return False where more has to be done."""
        chosen = before[self.cursor_row].key if 0 <= self.cursor_row < len(before) else None
        number = next((number for number, row in enumerate(self.items) if row.key == chosen), None)
        if number is None or len(before) != len(self.items):
            return False
        self.move_cursor(row=number, scroll=False)
        self.refresh()
        return True

    def _width(self, column: Column) -> int:
        return self._fill if column.width is None else column.width

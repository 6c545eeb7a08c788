"""A table that lies over a place: to read, or to choose one row of it, or several."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from appliance.words import tr
from tui.widgets.facts import Fact, Facts, Section
from tui.widgets.table import Column, Row, Table
from tui.widgets.tones import plain

_MARK = Column("mark", "", 3)
_FRAME_LINES = 8
"""What a sheet has beside its table and its notes: the frame, the sentence, the hint, and lines between them."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a sheet shows: a sentence, the table, and more below it. `current` is the row that it begins at."""

    title: str
    says: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[Fact, ...] = ()
    current: str | None = None


class Sheet(ModalScreen[tuple[str, ...] | None]):
    """Gives the keys of the rows that were chosen, None when it is left. `chooses` says how many may be chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("space", "mark", show=False),
        Binding("c", "copy", show=False),
    ]

    def __init__(self, page: Page, *, chooses: Literal["none", "one", "some"] = "none") -> None:
        super().__init__(classes="dialog sheet")
        self._page, self._chooses = page, chooses
        self._marked: set[str] = set()

    def compose(self) -> ComposeResult:
        """Put the table between the sentence and the notes."""
        hints = {
            "none": tr("c: copy   Esc: leave"),
            "one": tr("Enter: choose   c: copy   Esc: leave"),
            "some": tr("Space: mark several   Enter: go on   Esc: leave"),
        }
        with Vertical() as frame:
            frame.border_title = self._page.title
            yield Static(self._page.says, classes="text", markup=False)
            yield Table((*([_MARK] if self._chooses == "some" else []), *self._page.columns))
            if self._page.notes:
                yield Facts()
            yield Static(hints[self._chooses], classes="hint", markup=False)

    def on_mount(self) -> None:
        """Begin at the current row."""
        table = self.query_one(Table)
        self._show()
        if self._page.notes:
            self.query_one(Facts).show("", "", [Section("", self._page.notes)])
        table.focus()
        if self._page.current is not None:
            self.call_after_refresh(table.go_to, self._page.current)

    def on_resize(self) -> None:
        """Give the notes the room that the table leaves, so that both are seen and what the keys do."""
        height = self.size.height * 9 // 10
        num_rows = min(len(self._page.rows) + 1, height // 2)
        self.query_one(Table).styles.max_height = num_rows
        for notes in self.query(Facts):
            notes.styles.max_height = max(3, height - num_rows - _FRAME_LINES)

    def on_data_table_row_selected(self) -> None:
        """Take the marked rows, else the one under the cursor; a sheet to read is put away."""
        chosen = self.query_one(Table).chosen
        if self._chooses == "none" or chosen is None:
            self.dismiss(None)
        else:
            keys = [row.key for row in self._page.rows if row.key in self._marked]
            self.dismiss(tuple(keys) or (chosen,))

    def action_mark(self) -> None:
        """Mark a row, or take its mark away."""
        chosen = self.query_one(Table).chosen
        if self._chooses == "some" and chosen is not None:
            self._marked ^= {chosen}
            self._show()

    def action_copy(self) -> None:
        """Copy all of it as text."""
        page = self._page
        lines = [
            page.says,
            *(" | ".join(plain(row.cells.get(each.name, "")) for each in page.columns) for row in page.rows),
            *(plain(note.value) for note in page.notes),
        ]
        self.app.copy_to_clipboard("\n".join(line for line in lines if line))

    def _show(self) -> None:
        def marked(row: Row) -> Row:
            return Row(row.key, {**row.cells, "mark": "[x]" if row.key in self._marked else "[ ]"})

        self.query_one(Table).show([marked(row) for row in self._page.rows])

"""A question that is answered with a text of several lines."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from appliance.words import tr


class Write(ModalScreen[str | None]):
    """Gives the text, without blanks at its ends; None when left. `check` says what is wrong with a text, if so."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("ctrl+s", "take", show=False, priority=True),
    ]

    def __init__(
        self, title: str, explanation: str, *, value: str = "", check: Callable[[str], str | None] = lambda text: None
    ) -> None:
        super().__init__(classes="dialog write")
        self._title, self._explanation, self._check = title, explanation, check
        self._area = TextArea(value, tab_behavior="focus", compact=True)

    def compose(self) -> ComposeResult:
        """Show the text below its explanation."""
        with Vertical() as frame:
            frame.border_title = self._title
            yield Static(self._explanation, classes="text", markup=False)
            yield self._area
            yield Static("", classes="wrong", markup=False)
            yield Static(tr("Ctrl+S: take it   Esc: leave"), classes="hint", markup=False)

    def on_mount(self) -> None:
        """Begin at the end of the text."""
        self._area.move_cursor(self._area.document.end)
        self._area.focus()

    def on_text_area_changed(self) -> None:
        """Forget what was wrong."""
        self.query_one(".wrong", Static).update("")

    def action_take(self) -> None:
        """Take the text, unless something is wrong with it."""
        text = self._area.text.strip()
        wrong = self._check(text)
        if wrong is None:
            self.dismiss(text)
        else:
            self.query_one(".wrong", Static).update(wrong)

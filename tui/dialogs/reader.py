"""A text to read: an explanation, a table, details of one thing."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from appliance.words import tr


class Reader(ModalScreen[None]):
    """Shows a text below its title; `c` copies it, or what stands in `copies` instead."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", show=False),
        Binding("c", "copy", show=False),
    ]

    def __init__(self, title: str, text: Content | str, *, copies: str | None = None) -> None:
        super().__init__(classes="dialog reader")
        self._title = title
        self._text = text if isinstance(text, Content) else Content(text)
        self._copies = self._text.plain if copies is None else copies

    def compose(self) -> ComposeResult:
        """Show the text, which can be scrolled."""
        with Vertical() as frame:
            frame.border_title = self._title
            with VerticalScroll():
                yield Static(self._text)
            yield Static(tr("c: copy   Esc: leave"), classes="hint", markup=False)

    def action_copy(self) -> None:
        """Copy what is to be copied, without colours."""
        self.app.copy_to_clipboard(self._copies)

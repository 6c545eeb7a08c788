"""A choice of one among several."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from appliance.words import tr


class Pick(ModalScreen[str | None]):
    """Gives the id of what was picked of (id, text), None when left."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", show=False)]

    def __init__(self, title: str, choices: Sequence[tuple[str, str]], *, current: str | None = None) -> None:
        super().__init__(classes="dialog")
        self._title = title
        self._options = OptionList(*(Option(text, id=id_) for id_, text in choices), markup=False)
        ids = [id_ for id_, _ in choices]
        self._start = ids.index(current) if current in ids else 0

    def compose(self) -> ComposeResult:
        """Show the choices, the current one marked."""
        with Vertical() as frame:
            frame.border_title = self._title
            yield self._options
            yield Static(tr("Enter: choose   Esc: leave"), classes="hint", markup=False)

    def on_mount(self) -> None:
        """Begin at the current one."""
        self._options.highlighted = self._start
        self._options.focus()

    def on_option_list_option_selected(self, selected: OptionList.OptionSelected) -> None:
        """Take the choice."""
        self.dismiss(selected.option_id)

"""A choice among things that are kept, of which each can be opened or deleted."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from appliance.words import tr

Wish = tuple[Literal["open", "delete"], str]


class Keep(ModalScreen[Wish | None]):
    """Gives what is to be done with the id of one of (id, text), None when left. Whoever asked deletes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("d", "delete", show=False),
    ]

    def __init__(self, title: str, choices: Sequence[tuple[str, str]]) -> None:
        super().__init__(classes="dialog")
        self._title = title
        self._options = OptionList(*(Option(text, id=id_) for id_, text in choices), markup=False)

    def compose(self) -> ComposeResult:
        """Show what there is."""
        with Vertical() as frame:
            frame.border_title = self._title
            yield self._options
            yield Static(tr("Enter: open   d: delete   Esc: leave"), classes="hint", markup=False)

    def on_mount(self) -> None:
        """Begin at the first."""
        self._options.highlighted = 0
        self._options.focus()

    def on_option_list_option_selected(self, selected: OptionList.OptionSelected) -> None:
        """Open it."""
        self.dismiss(("open", str(selected.option_id)))

    def action_delete(self) -> None:
        """Delete the one under the cursor."""
        option = self._options.highlighted_option
        if option is not None:
            self.dismiss(("delete", str(option.id)))

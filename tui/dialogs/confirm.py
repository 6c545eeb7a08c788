"""The question before something that cannot be undone."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from appliance.words import tr


class Confirm(ModalScreen[bool]):
    """Asks `question`, says the consequence, and gives True for `yes`. Leaving it is a no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", show=False),
        Binding("y", "answer(True)", show=False),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
    ]

    def __init__(self, question: str, consequence: str, yes: str) -> None:
        super().__init__(classes="dialog")
        self._question, self._consequence, self._yes = question, consequence, yes

    def compose(self) -> ComposeResult:
        """Show the question above both answers; the harmless one has the focus."""
        with Vertical() as frame:
            frame.border_title = self._question
            yield Static(self._consequence, classes="text", markup=False)
            with Horizontal(classes="answers"):
                yield Button(f"{tr('No')} (n)", id="no", compact=True)
                yield Button(f"{self._yes} (y)", id="yes", variant="error", compact=True)

    def on_mount(self) -> None:
        """Make Enter harmless."""
        self.query_one("#no").focus()

    def on_button_pressed(self, pressed: Button.Pressed) -> None:
        """Take an answer."""
        self.dismiss(pressed.button.id == "yes")

    def action_answer(self, is_yes: bool) -> None:
        """Take an answer from a key."""
        self.dismiss(is_yes)

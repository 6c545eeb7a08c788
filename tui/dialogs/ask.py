"""A question that is answered with a line of text."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from appliance.words import tr


class Ask(ModalScreen[str | None]):
    """Gives the text, without blanks at its ends; None when left. `check` says what is wrong with a text, if so."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", show=False)]

    def __init__(
        self,
        title: str,
        explanation: str,
        *,
        value: str = "",
        placeholder: str = "",
        is_secret: bool = False,
        check: Callable[[str], str | None] = lambda text: None,
    ) -> None:
        super().__init__(classes="dialog")
        self._title, self._explanation, self._check = title, explanation, check
        self._input = Input(value, placeholder=placeholder, password=is_secret)

    def compose(self) -> ComposeResult:
        """Show the line below its explanation."""
        with Vertical() as frame:
            frame.border_title = self._title
            yield Static(self._explanation, classes="text", markup=False)
            yield self._input
            yield Static("", classes="wrong", markup=False)
            yield Static(tr("Enter: go on   Esc: leave"), classes="hint", markup=False)

    def on_input_changed(self) -> None:
        """Forget what was wrong."""
        self.query_one(".wrong", Static).update("")

    def on_input_submitted(self, submitted: Input.Submitted) -> None:
        """Take the text, unless something is wrong with it."""
        text = submitted.value.strip()
        wrong = self._check(text)
        if wrong is None:
            self.dismiss(text)
        else:
            self.query_one(".wrong", Static).update(wrong)

"""Several values asked for at once, a line each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from appliance.words import tr


@dataclass(frozen=True, slots=True)
class Field:
    """One value; `label` and `hint` are in the person's language, `hint` stands where nothing is typed."""

    name: str
    label: str
    value: str = ""
    hint: str = ""


class Form(ModalScreen[Mapping[str, str] | None]):
    """Gives the texts by the names of their fields; None when left. `check` says what is wrong with them, if so."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    def __init__(
        self,
        title: str,
        explanation: str,
        fields: Sequence[Field],
        *,
        check: Callable[[Mapping[str, str]], str | None] = lambda values: None,
    ) -> None:
        super().__init__(classes="dialog form")
        self._title, self._explanation, self._fields, self._check = title, explanation, fields, check

    def compose(self) -> ComposeResult:
        """Show the lines below the explanation."""
        with Vertical() as frame:
            frame.border_title = self._title
            yield Static(self._explanation, classes="text", markup=False)
            for field in self._fields:
                with Horizontal(classes="field"):
                    yield Label(field.label, markup=False)
                    yield Input(field.value, placeholder=field.hint, id=field.name, compact=True)
            yield Static("", classes="wrong", markup=False)
            yield Static(tr("Enter: take all   ↑ ↓: other values   Esc: leave"), classes="hint", markup=False)

    def on_input_changed(self) -> None:
        """Forget what was wrong."""
        self.query_one(".wrong", Static).update("")

    def on_input_submitted(self) -> None:
        """Take the values, unless something is wrong with them."""
        values = {field.name: self.query_one(f"#{field.name}", Input).value.strip() for field in self._fields}
        wrong = self._check(values)
        if wrong is None:
            self.dismiss(values)
        else:
            self.query_one(".wrong", Static).update(wrong)

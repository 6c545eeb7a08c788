"""Where the person writes: Enter sends, other keys begin a new line."""

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

from appliance.words import tr


class ChatInput(TextArea):
    """A text that grows with what is written. It tells whoever holds it what was sent."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send"),
        Binding("ctrl+j,alt+enter,shift+enter", "new_line", "New line"),
        Binding("escape", "screen.leave", "To the keys"),
    ]

    @dataclass
    class Sent(Message):
        """The person wants this said."""

        text: str

    def __init__(self) -> None:
        super().__init__(id="input", compact=True, placeholder=tr("write here"))

    def on_key(self, event: events.Key) -> None:
        """Send in the order of the keys: a line brings many at once, and a binding would not wait for the letters."""
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.action_send()

    def action_send(self) -> None:
        """Send what is written, and empty the line."""
        text = self.text.strip()
        if text:
            self.text = ""
            self.post_message(self.Sent(text))

    def action_new_line(self) -> None:
        """Go on in a new line."""
        self.insert("\n")

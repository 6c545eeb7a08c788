"""The line at the bottom of every place: the keys that do something now, in one line that is painted at once."""

from dataclasses import dataclass

from textual import events
from textual.app import RenderResult
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    description: str
    press: str
    is_enabled: bool

    @property
    def content(self) -> Content:
        """Return the key and what it does, pale where it does nothing now."""
        key, text = ("bold $primary", "$foreground") if self.is_enabled else ("dim", "dim")
        return Content.assemble((self.key, key), " ", (self.description, text))


class Keys(Widget):
    """Shows keys with what they do, as many as there is room for; a click presses one. The palette is at the right.

    Textual's own footer makes a widget of each key, anew whenever the focus moves: most of what that costs.
    """

    def __init__(self) -> None:
        super().__init__()
        self._entries: tuple[_Entry, ...] = ()
        self._palette: _Entry | None = None

    def on_mount(self) -> None:
        """Show other keys as soon as other keys count."""
        self.screen.bindings_updated_signal.subscribe(self, self._look)
        self.call_after_refresh(self._look, self.screen)

    def render(self) -> RenderResult:
        """Put every key where it belongs."""
        line = Content("")
        for column, entry in self._laid_out():
            line = Content.assemble(line, " " * (column - line.cell_length), entry.content)
        return line

    async def on_click(self, clicked: events.Click) -> None:
        """Press the key that was clicked."""
        for column, entry in self._laid_out():
            if column <= clicked.x < column + entry.content.cell_length and entry.is_enabled:
                self.app.simulate_key(entry.press)

    def _laid_out(self) -> list[tuple[int, _Entry]]:
        """Return the keys for which there is room, each with the column where it begins, the palette last."""
        end = self.size.width - 1
        palette = []
        if self._palette is not None:
            end -= self._palette.content.cell_length
            palette = [(end, self._palette)]
            end -= 2
        shown, column = [], 1
        for entry in self._entries:
            if column + entry.content.cell_length > end:
                break
            shown.append((column, entry))
            column += entry.content.cell_length + 2
        return shown + palette

    def _look(self, screen: Screen[object]) -> None:
        if not self.is_attached or not screen.is_current:
            return
        found: dict[str, _Entry] = {}
        palette = None
        for key, (_, binding, is_enabled, _) in screen.active_bindings.items():
            entry = _Entry(self.app.get_key_display(binding), binding.description, key, is_enabled)
            if key == self.app.COMMAND_PALETTE_BINDING:
                palette = entry
            elif binding.show and binding.description:
                found.setdefault(binding.action, entry)
        entries = tuple(found.values())
        if (entries, palette) != (self._entries, self._palette):
            self._entries, self._palette = entries, palette
            self.refresh()

"""Many lines of which only those that are seen are made: a log that grows all the time and can be searched."""

from collections.abc import Sequence

from rich.segment import Segment
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from .tones import Toned, to_text


class Lines(ScrollView, can_focus=True):
    """Shows lines, one row each. It stays at the newest while that is where it stands, and else where it is."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: Sequence[Toned] = ()
        self._follows = True

    def show(self, lines: Sequence[Toned], *, num_gone: int = 0) -> None:
        """Show these lines. `num_gone` of those shown before are no more at the beginning."""
        self._lines = lines
        self.virtual_size = Size(self.size.width, len(lines))
        if self._follows:
            self.scroll_end(animate=False, force=True)  # though there is no bar yet
        elif num_gone:
            self.scroll_relative(y=-num_gone, animate=False)
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow the newest line from when it is seen until somebody goes up."""
        super().watch_scroll_y(old_value, new_value)
        if new_value >= self.max_scroll_y:
            self._follows = True
        elif new_value < old_value:
            self._follows = False

    def on_resize(self) -> None:
        """Stay with the newest line where there is less room."""
        if self._follows:
            self.scroll_end(animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        """Return one row of what is seen."""
        number = self.scroll_offset.y + y
        base = self.rich_style
        if not 0 <= number < len(self._lines):
            return Strip.blank(self.size.width, base)
        text = to_text(self._lines[number], self.app.theme_variables)
        segments = [
            Segment(each.text.replace("\n", " "), base + each.style if each.style else base)
            for each in text.render(self.app.console, end="")
        ]
        return Strip(segments).adjust_cell_length(self.size.width, base)

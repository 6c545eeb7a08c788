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

    @property
    def is_at_end(self) -> bool:
        """Return whether the newest line is seen."""
        return self.scroll_offset.y >= self.max_scroll_y

    def show(self, lines: Sequence[Toned], *, num_gone: int = 0) -> None:
        """Show these lines. `num_gone` of those shown before are no more at the beginning."""
        was_at_end = self.is_at_end
        self._lines = lines
        self.virtual_size = Size(self.size.width, len(lines))
        if was_at_end:
            self.scroll_end(animate=False)
        elif num_gone:
            self.scroll_relative(y=-num_gone, animate=False)
        self.refresh()

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

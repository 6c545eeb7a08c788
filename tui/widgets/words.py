"""Some lines of text with tones, which are painted anew only when they change."""

from collections.abc import Sequence

from textual.app import RenderResult
from textual.geometry import Size
from textual.widget import Widget

from .figures import spread
from .tones import Toned, to_text


class Words(Widget):
    """Shows lines, each with a text at its left end and one at its right, which is cut last."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: tuple[tuple[Toned, Toned], ...] = ()

    def show(self, lines: Sequence[tuple[Toned, Toned]]) -> None:
        """Show these lines."""
        before, self._lines = self._lines, tuple(lines)
        if before != self._lines:
            self.refresh(layout=len(before) != len(self._lines))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines."""
        return len(self._lines)

    def render(self) -> RenderResult:
        """Return the lines as wide as there is room."""
        variables = self.app.theme_variables
        lines = [to_text(spread(left, right, self.size.width), variables) for left, right in self._lines]
        text = to_text("\n", {}).join(lines)
        text.no_wrap = True
        return text

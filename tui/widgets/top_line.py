"""The line at the top of every place: where you are, where you can go, which box it is, and whether it answers."""

from textual import events
from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from appliance.words import tr
from tui.box import Lost

_WIDE = 100


class TopLine(Widget):
    """Shows the places with their keys; a click goes there. The box stands at the right, as far as there is room."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place
        self._url = ""
        self._lost: Lost | None = None

    def show(self, url: str, lost: Lost | None) -> None:
        """Show the box and whether it answers."""
        if (url, lost) != (self._url, self._lost):
            self._url, self._lost = url, lost
            self.refresh()

    def render(self) -> RenderResult:
        """Put the places at the left and the box at the right."""
        places = self._between.join(entry for _, entry in self._entries())
        box = self._box(self.size.width - places.cell_length - 3)
        gap = " " * (self.size.width - places.cell_length - box.cell_length - 2)
        return Content.assemble(" ", places, gap, box, " ")

    async def on_click(self, clicked: events.Click) -> None:
        """Go to the place whose name was clicked."""
        left = 1
        for name, entry in self._entries():
            if left <= clicked.x < left + entry.cell_length:
                await self.run_action(f"app.go({name!r})")
            left += entry.cell_length + self._between.cell_length

    @property
    def _between(self) -> Content:
        return Content("  " if self.size.width >= _WIDE else " ")

    def _entries(self) -> list[tuple[str, Content]]:
        from tui.places import PLACES  # they import this line

        entries = []
        for number, each in enumerate(PLACES, 1):
            is_here = each.name == self._place
            title = Content.styled(tr(each.title), "bold $primary" if is_here else "$foreground")
            key = Content.styled(str(number), "bold $primary" if is_here else "dim")
            entries.append((each.name, Content.assemble(key, "\u00a0", title)))
        return entries

    def _box(self, room: int) -> Content:
        if self._lost is None:
            sign, style = "●", "$success"
            text = self._url.removeprefix("http://").removeprefix("https://")
        else:
            sign, style = "✕", "bold $error"
            text = tr("refused") if self._lost.is_refused else tr("no answer")
        full = Content.styled(f"{text} {sign}", style)
        return full if full.cell_length <= room else Content.styled(sign, style)

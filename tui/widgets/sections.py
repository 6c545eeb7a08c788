"""The line that says which parts a place has, and in which one you are."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from appliance.words import tr


@dataclass(frozen=True, slots=True)
class Title:
    """A part of a place by its name; `title` is English."""

    name: str
    title: str


class Sections(Widget):
    """Shows the titles; a click calls the screen's `section` action with the name."""

    def __init__(self, titles: Sequence[Title]) -> None:
        super().__init__()
        self._titles = titles
        self._here = titles[0].name

    def show(self, name: str) -> None:
        """Show that this one is in front."""
        self._here = name
        self.refresh()

    def render(self) -> RenderResult:
        """Put the titles beside each other; brackets tell where you are also without colour."""
        return Content(" ").join(entry for _, entry in self._entries())

    async def on_click(self, clicked: events.Click) -> None:
        """Go to the section whose title was clicked."""
        left = 0
        for name, entry in self._entries():
            if left <= clicked.x < left + entry.cell_length:
                await self.run_action(f"screen.section({name!r})")
            left += entry.cell_length + 1

    def _entries(self) -> list[tuple[str, Content]]:
        entries = []
        for each in self._titles:
            is_here = each.name == self._here
            text = f"[{tr(each.title)}]" if is_here else f" {tr(each.title)} "
            entries.append((each.name, Content.styled(text, "bold $primary" if is_here else "")))
        return entries

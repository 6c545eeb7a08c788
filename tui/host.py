"""What a place and a dialog may expect of the application that they are shown in."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from textual.app import App
from textual.command import CommandPalette
from textual.screen import Screen

from appliance.words import tr

from .box import Box
from .remembered import Remembered

T = TypeVar("T")


class Host(App[None]):
    """An application that speaks of one box. `folder` is the person's own, `now_s` the time since 1970."""

    box: Box
    folder: Path
    remembered: Remembered
    now_s: Callable[[], float]

    async def ask_person(self, dialog: Screen[T]) -> T:
        """Show a dialog and return its answer, which most give as None when they are left. Only within a worker."""
        return await self.push_screen_wait(dialog)

    def remember(self, **changes: str | None) -> None:
        """Keep choices of this person for the next time."""
        self.remembered = self.remembered.changed(self.folder, **changes)

    def action_command_palette(self) -> None:
        """Open the palette, which asks in the language of the person."""
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(placeholder=tr("Search for commands…"), id="--command-palette"))

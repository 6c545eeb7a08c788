"""The terminal as a whole: which places it has, what all of them share, and the one box that they speak of."""

import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel
from textual.screen import Screen

from appliance.client import Client
from appliance.words import tr

from .box import Box, Connected, Happened, Lost, News, StatusCame
from .host import Host
from .places import PLACES
from .remembered import Remembered
from .screens.place import Place
from .themes import THEMES


class Terminal(Host):
    """Administers the box that `connect` leads to. `folder` is the person's own: conversations and the theme."""

    TITLE = "appliance"
    CSS_PATH = "app.tcss"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {each.name: each.open for each in PLACES}
    DEFAULT_MODE = PLACES[0].name
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (150, "-vast")]  # noqa: RUF012  # Textual declares it as of an instance
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(f"{number},f{number}", f"go({each.name!r})", show=False) for number, each in enumerate(PLACES, 1)),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("k", "enter_key", show=False),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+q", "quit", show=False, priority=True),
    ]

    def __init__(
        self,
        connect: Callable[[str | None], Client],
        folder: Path,
        *,
        theme: str | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """`connect` takes a key that was typed in, None for the usual one. Raises: ClientError."""
        super().__init__()
        self.animation_level = "none"  # over a slow line a movement is many screens, and the last one comes late
        self._connect = connect
        self.folder = folder
        self.now_s = now_s
        self.remembered = Remembered.read(folder)
        self.box = Box(partial(connect, None), self._hear)
        for each in THEMES:
            self.register_theme(each)
        wanted = theme or self.remembered.theme
        self.theme = wanted if wanted in self.available_themes else THEMES[0].name

    def on_mount(self) -> None:
        """Begin to listen, and remember from now on which theme was chosen."""
        self.box.start()
        self.theme_changed_signal.subscribe(self, lambda theme: self.remember(theme=theme.name))

    def on_unmount(self) -> None:
        """Hang up."""
        self.box.stop()

    def use_key(self, key: str) -> None:
        """Go on with another key."""
        self.box.stop()
        self.box = Box(partial(self._connect, key), self._hear)
        self.box.start()

    def copy_to_clipboard(self, text: str) -> None:
        """Copy in the terminal of the person, also over SSH (OSC 52), and say so."""
        super().copy_to_clipboard(text)
        self.notify(tr("copied"), timeout=2)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Show a message for a while, as it is: what comes from a box is no markup."""
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Yield what the palette offers: every place, what the place in front can do, and what the app can."""
        for number, each in enumerate(PLACES, 1):
            help_ = tr("go there (key {number})", number=number)
            yield SystemCommand(tr(each.title), help_, partial(self.action_go, each.name))
        if isinstance(screen, Place):
            for binding in screen.offers():
                help_ = tr("key {key}", key=self.get_key_display(binding))
                yield SystemCommand(binding.description, help_, partial(self.run_action, binding.action, screen))
        yield SystemCommand(tr("Theme"), tr("choose the colours"), self.action_change_theme)
        yield SystemCommand(tr("Key"), tr("enter another API key"), self.action_enter_key)
        yield SystemCommand(tr("Help"), tr("what this screen shows and which keys it has"), self.action_help)
        yield SystemCommand(tr("Quit"), tr("leave; the box goes on"), self.action_quit)

    def action_help_quit(self) -> None:
        """Tell whoever pressed Ctrl+C, out of habit, how to leave."""
        self.notify(tr("press q to leave; the box goes on"), timeout=3)

    def action_go(self, name: str) -> None:
        """Bring a place to the front; a dialog is answered first."""
        if isinstance(self.screen, Place):
            self.switch_mode(name)

    def action_help(self) -> None:
        """Explain the place in front."""
        from .dialogs.help import Help

        if isinstance(self.screen, Place):
            self.push_screen(Help(self.screen))

    def action_enter_key(self) -> None:
        """Ask for a key and go on with it."""
        from .dialogs.ask import Ask

        dialog = Ask(tr("API key"), tr("It is used until you leave, and kept nowhere."), is_secret=True)
        self.push_screen(dialog, lambda key: self.use_key(key) if key else None)

    def _hear(self, news: News) -> None:
        """Tell the place in front, whatever dialog lies over it."""
        place = self.screen_stack[0] if self.screen_stack else None
        if not isinstance(place, Place) or not place.is_there:
            return  # it asks for everything when it comes to the front
        match news:
            case StatusCame(status):
                place.show_status(status)
            case Happened(events):
                place.hear(events)
            case Connected(is_again):
                place.show_link(None, is_new=True)
                if is_again:
                    self.notify(tr("the box answers again"), timeout=3)
            case Lost():
                place.show_link(news, is_new=True)

"""The places of the terminal, in the order of their keys. A place is imported when somebody first goes there."""

from dataclasses import dataclass
from importlib import import_module

from .screens.place import Place


@dataclass(frozen=True, slots=True)
class Entry:
    """A place by its name; `title` is English. Its module in `tui.screens` has that name, and its class `NamePlace`."""

    name: str
    title: str

    def open(self) -> Place:
        """Return the place, made anew."""
        module = import_module(f".screens.{self.name}", __package__)
        place: type[Place] = getattr(module, f"{self.name.capitalize()}Place")
        return place(self.name)


PLACES = (
    Entry("dashboard", "Dashboard"),
    Entry("models", "Models"),
    Entry("chat", "Chat"),
    Entry("requests", "Requests"),
    Entry("jobs", "Jobs"),
    Entry("cache", "Cache"),
    Entry("logs", "Logs"),
    Entry("system", "System"),
)

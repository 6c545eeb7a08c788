"""What is known of one thing: labels with their values, in sections, beside a table or in its place."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from .tones import Toned, plain, to_style, to_text, toned

DOT = "·"
_LABEL_WIDTH = 14


@dataclass(frozen=True, slots=True)
class Fact:
    """A value with its label. Without a label it is a sentence of its own, with a `DOT` one of a list."""

    label: str
    value: Toned


@dataclass(frozen=True, slots=True)
class Section:
    """Facts below a title, which may be empty."""

    title: str
    facts: tuple[Fact, ...]


class Facts(VerticalScroll, can_focus=True):
    """Shows what is known of one thing below its name. It is only painted anew where something is new."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: tuple[str, Toned, tuple[Section, ...]] = ("", "", ())

    def compose(self) -> ComposeResult:
        """Put all of it into one text that can be scrolled."""
        yield Static(markup=False)

    def on_mount(self) -> None:
        """Take the colours of a theme as soon as it is chosen."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self._paint())

    def show(self, name: str, about: Toned, sections: Iterable[Section]) -> None:
        """Show what is known; another name begins at the top."""
        shown = (name, about, tuple(section for section in sections if section.facts))
        if shown == self._shown:
            return
        is_other, self._shown = name != self._shown[0], shown
        self._paint()
        if is_other:
            self.scroll_home(animate=False)

    @property
    def text(self) -> str:
        """Return what is shown, for copying."""
        name, about, sections = self._shown
        lines = [name, *([plain(about)] if about else [])]
        for section in sections:
            lines += ["", *([section.title] if section.title else [])]
            lines += [f"{fact.label.ljust(_LABEL_WIDTH)} {plain(fact.value)}".strip() for fact in section.facts]
        return "\n".join(lines)

    def _paint(self) -> None:
        name, about, sections = self._shown
        colours = self.app.theme_variables
        parts: list[Text | Table] = [to_text(toned(name, "bold"), colours)] if name else []
        parts += [to_text(about, colours)] if about else []
        for section in sections:
            parts += [Text()] if parts else []
            if section.title:
                parts.append(to_text(toned(section.title, "primary"), colours))
            parts += _painted(section.facts, colours)
        self.query_one(Static).update(Group(*parts))


def _painted(facts: Sequence[Fact], colours: dict[str, str]) -> Iterable[Text | Table]:
    """Yield tables of what has labels, and between them sentences that have none."""
    table, width = Table.grid(), 0
    for fact in facts:
        value = to_text(fact.value, colours)
        wanted = 0 if not fact.label else 1 if fact.label == DOT else _LABEL_WIDTH
        if wanted == 0:
            yield value
        elif wanted != width:
            table = Table.grid(padding=(0, 1, 0, 0), expand=True)
            table.add_column(width=wanted, style=to_style("muted", colours))
            table.add_column(ratio=1, overflow="fold")
            yield table
        if wanted:
            table.add_row(fact.label, value)
        width = wanted

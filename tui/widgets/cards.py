"""Cards of the models in memory, of which one is chosen. Only those that are seen are painted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from appliance.core.admin import LoadedModelStatus

from .figures import joined
from .model_card import BRIEF_LINES, FRAME_LINES, brief, framed
from .tones import Toned, to_text, toned

MIN_FRAME_WIDTH = 46
_GAP = 1


class Cards(ScrollView, can_focus=True):
    """Shows models. `says_empty` stands where there is none. Tells whoever asks which is `chosen`."""

    DEFAULT_CSS = "Cards > .cards--chosen { background: $block-cursor-blurred-background; }"

    COMPONENT_CLASSES: ClassVar[set[str]] = {"cards--chosen"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(0, -1)", show=False),
        Binding("down", "step(0, 1)", show=False),
        Binding("left", "step(-1, 0)", show=False),
        Binding("right", "step(1, 0)", show=False),
        Binding("enter", "open", "Details"),
    ]

    @dataclass
    class Opened(Message):
        """A card was opened, by Enter or a second click."""

        model: str

    def __init__(self, says_empty: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._says_empty = says_empty
        self._models: tuple[LoadedModelStatus, ...] = ()
        self._is_known = False
        self._number = 0

    @property
    def chosen(self) -> LoadedModelStatus | None:
        """Return the model whose card is chosen."""
        return self._models[self._number] if self._number < len(self._models) else None

    def show(self, models: Sequence[LoadedModelStatus]) -> None:
        """Show these models; the chosen one stays chosen while it is there."""
        chosen = self.chosen
        before, self._models = self._models, tuple(models)
        was_known, self._is_known = self._is_known, True
        names = [model.name for model in models]
        self._number = names.index(chosen.name) if chosen and chosen.name in names else 0
        self._measure()
        if before != self._models or not was_known:
            self.refresh()

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width  # the bar at the right edge is there or not

    @property
    def _is_framed(self) -> bool:
        return self.size.height >= 2 * FRAME_LINES and self._width >= MIN_FRAME_WIDTH

    @property
    def _num_columns(self) -> int:
        return max(1, (self._width + _GAP) // (MIN_FRAME_WIDTH + _GAP)) if self._is_framed else 1

    @property
    def _num_lines(self) -> int:
        return FRAME_LINES if self._is_framed else BRIEF_LINES

    def on_resize(self) -> None:
        """Put the cards where they fit now."""
        self._measure()

    def on_click(self, click: events.Click) -> None:
        """Choose a card; open the one that is chosen already."""
        column = click.x * self._num_columns // max(1, self._width)
        line = (click.y + self.scroll_offset.y) // self._num_lines
        number = line * self._num_columns + column
        if number >= len(self._models):
            return
        if number == self._number:
            self.action_open()
        self._choose(number)

    def action_step(self, across: int, down: int) -> None:
        """Choose a neighbour."""
        self._choose(self._number + across + down * self._num_columns)

    def action_open(self) -> None:
        """Open the chosen card."""
        if self.chosen is not None:
            self.post_message(self.Opened(self.chosen.name))

    def render_line(self, y: int) -> Strip:
        """Return one row of what is seen."""
        base = self.rich_style
        row, line = divmod(self.scroll_offset.y + y, self._num_lines)
        first = row * self._num_columns
        beside = range(first, min(first + self._num_columns, len(self._models)))
        if not self._models and self._is_known and y == 0:
            text: Toned = toned(self._says_empty, "muted")
        else:
            text = joined(*(part for number in beside for part in (self._line(number, line), " " * _GAP)))
        is_marked = not self._is_framed and self.has_focus and self._number in beside
        mark = self.get_component_rich_style("cards--chosen") if is_marked else Style()
        segments = [
            Segment(each.text.replace("\n", " "), base + mark + each.style if each.style else base + mark)
            for each in to_text(text, self.app.theme_variables).render(self.app.console, end="")
        ]
        return Strip(segments).adjust_cell_length(self._width, base + mark)

    def _line(self, number: int, line: int) -> Toned:
        width = (self._width - _GAP * (self._num_columns - 1)) // self._num_columns
        model = self._models[number]
        if not self._is_framed:
            return brief(model, width)[line]
        return framed(model, width, is_chosen=self.has_focus and number == self._number)[line]

    def _choose(self, number: int) -> None:
        self._number = max(0, min(number, len(self._models) - 1))
        top = self._number // self._num_columns * self._num_lines
        self.scroll_to_region(Region(0, top, self._width, self._num_lines), animate=False)
        self.refresh()

    def _measure(self) -> None:
        num_rows = -(-len(self._models) // self._num_columns)
        self.virtual_size = Size(self._width, num_rows * self._num_lines)

"""One model's side of a chat: what was said, painted as it comes, at most some times a second."""

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from appliance.client import ChatPart
from appliance.core.events import ModelState
from appliance.words import tr

from .chat_talk import Figures, Talk, Turn
from .chat_text import painted

PAINT_EVERY_S = 0.1
PAINT_LESS_S = 1 / 30_000
"""So much longer for each character of an answer: a long one costs as little to follow as a short one."""
_NARROW = 72
SIGNS: dict[ModelState, tuple[str, str]] = {
    "ready": ("●", "$success"),
    "loading": ("◐", "$secondary"),
    "stopping": ("◐", "$secondary"),
    "stopped": ("○", "$foreground 60%"),
    "failed": ("✕", "$error"),
}


class Column(Vertical):
    """Shows one talk. Whoever asks the model hands in what comes."""

    def __init__(self, talk: Talk, *, is_second: bool = False) -> None:
        super().__init__(classes="second" if is_second else None)
        self.talk = talk
        self.name_shown = talk.model or ""
        self.shows_thoughts = False
        self.is_plain = False
        self.answering: Turn | None = None
        self._model = Static(id="model", markup=False)
        self._scroll = VerticalScroll()
        self._hint = Static(id="hint", markup=False)
        self._views: list[Static] = []
        self._is_paint_due = False
        self._started_s = 0.0
        self._is_narrow = False
        self._state: tuple[str, ModelState] | None = None

    def compose(self) -> ComposeResult:
        """Put what was said below the model's name."""
        yield self._model
        with self._scroll:
            yield self._hint

    def on_mount(self) -> None:
        """Show what was said before."""
        self._scroll.anchor()
        self.show_all()

    def on_resize(self) -> None:
        """Break what is long where there is little room."""
        is_narrow = self.size.width < _NARROW
        if is_narrow != self._is_narrow:
            self._is_narrow = is_narrow
            self.show_all()

    @property
    def is_focused(self) -> bool:
        """Return whether the keys act on this one."""
        return self._scroll.has_focus

    def show_model(self, name: str, state: ModelState) -> None:
        """Show which model it is and what it does."""
        if (name, state) == self._state:
            return
        self._state = name, state
        is_renamed = name != self.name_shown
        self.name_shown = name
        sign, style = SIGNS[state]
        self._model.update(Content.assemble((sign, style), " ", (name, "bold")))
        if is_renamed:
            self.show_all()

    def show_all(self) -> None:
        """Paint everything anew."""
        for view in self._views[len(self.talk.turns) :]:
            view.remove()
        del self._views[len(self.talk.turns) :]
        hint = tr("Ask something below. The answer comes with its timings.\nEsc leads to the keys, ? explains them.")
        self._hint.update("" if self.talk.turns else hint)
        self._hint.display = not self.talk.turns
        for number in range(len(self.talk.turns)):
            self._paint(number)

    def begin(self, now_s: float) -> Turn:
        """Make room for the answer that was asked for."""
        self.answering = Turn("assistant")
        self.talk.turns.append(self.answering)
        self._started_s = now_s
        self.show_all()
        self._scroll.anchor()
        return self.answering

    def take(self, part: ChatPart, now_s: float) -> None:
        """Add what came, and paint it in a moment with whatever comes until then."""
        turn = self.answering
        if turn is None:
            return
        first_s = now_s - self._started_s if turn.figures is None else turn.figures.first_s
        turn.take(part)
        turn.figures = turn.figures or Figures()
        turn.figures.first_s = first_s
        if not self._is_paint_due:
            self._is_paint_due = True
            length = len(turn.text) + len(turn.reasoning)
            self.set_timer(PAINT_EVERY_S + length * PAINT_LESS_S, self._paint_last)

    def end(self, now_s: float) -> None:
        """Take note that nothing more comes."""
        turn, self.answering = self.answering, None
        if turn is not None and turn.figures is not None:
            turn.figures.total_s = now_s - self._started_s
        if self.is_running:
            self.show_all()

    def _paint_last(self) -> None:
        self._is_paint_due = False
        if self.talk.turns:
            self._paint(len(self.talk.turns) - 1)

    def _paint(self, number: int) -> None:
        turn = self.talk.turns[number]
        content = painted(
            turn,
            self.name_shown,
            shows_thoughts=self.shows_thoughts,
            is_plain=self.is_plain,
            is_narrow=self._is_narrow,
        )
        if turn is self.answering and turn.figures is None:
            content = Content.assemble(content, "\n", (tr("waits for its first token"), "$foreground 60%"))
        if number == len(self._views):
            view = Static(content, classes=f"turn {turn.role}")
            self._views.append(view)
            self._scroll.mount(view)
        else:
            self._views[number].update(content)

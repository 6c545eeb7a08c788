"""What the box does now, how it went lately, what wants attention and what happened last."""

import asyncio
import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.timer import Timer
from textual.widgets import DataTable

from appliance.client import Client, ClientError
from appliance.core.admin import LoadedModelStatus, Status
from appliance.core.doctor import Finding
from appliance.core.feed import FeedEvent
from appliance.core.jobs import Job
from appliance.words import tr
from tui.box import GATHER_S, STATUS_EVERY_S
from tui.dialogs.pick import Pick
from tui.dialogs.reader import Reader
from tui.widgets.cards import Cards
from tui.widgets.table import Column, Row, Table
from tui.widgets.tones import toned
from tui.widgets.trend import Trends
from tui.widgets.words import Words

from .dashboard_concerns import Concern, Go, Load, Show, concerns, job_subject
from .dashboard_concerns import to_row as concern_row
from .dashboard_details import choices, details, summary
from .dashboard_happenings import KINDS, Happening, happening
from .dashboard_happenings import to_row as happening_row
from .dashboard_trends import Recent
from .place import Place

NUM_PAST_EVENTS = 2000
MAX_HAPPENINGS = 200
T = TypeVar("T")


class DashboardPlace(Place):
    """Asks little: what moves comes with the status, and what happens comes by itself."""

    CSS_PATH = "dashboard.tcss"
    EXPLAINS = (
        "The models in memory, how the box went in the last minutes, what needs attention, and what happened last, the "
        "newest first. Tab goes from part to part; Enter opens a model, mends what needs attention or goes to where "
        "more can be seen."
    )
    EVERY_S = 60.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "load", "Load"),
        Binding("u", "unload", "Unload"),
        Binding("p", "pin", "Pin", tooltip="keep the model in memory, or let it leave when it is idle"),
        Binding("a", "attention", "Attention"),
    ]

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._recent = Recent()
        self._findings: tuple[Finding, ...] = ()
        self._jobs: tuple[Job, ...] = ()
        self._concerns: dict[str, Concern] = {}
        self._events: dict[int, FeedEvent] = {}
        self._happened: dict[str, Happening] = {}
        self._seq: int | None = None
        self._is_listening = False
        self._is_new = True
        self._unheard: str | None = None
        self._painting: Timer | None = None

    def body(self) -> Iterable[Any]:
        """Yield the parts; where they lie is said by the style sheet."""
        yield Words(id="summary")
        with Container(id="parts"):
            with Vertical(id="left"):
                yield Cards(tr("No model is in memory. A request loads one; l loads the default one now."), id="models")
                yield Trends(id="trends")
                yield _List("attention", Column("sign", "", 1), Column("text", ""), Column("deed", "", 21, "right"))
            yield _List("happened", Column("time", "", 8), Column("sign", "", 1), Column("text", ""))

    def on_mount(self) -> None:
        """Name the parts, and give the keys to the models."""
        titles = {"models": tr("Models"), "trends": tr("The last minutes")}
        titles |= {"happened": tr("What happened"), "attention": tr("What needs attention")}
        for id_, title in titles.items():
            self.query_one(f"#{id_}").border_title = f" {title} "
        self.query_one(Cards).focus()
        self._show_concerns()
        self._show_happened()

    async def renew(self) -> None:
        """Ask for what is not told by itself. What this box or this key does not offer is left out."""
        if not self._is_listening:
            self._is_listening = True
            self.attempt(self._listen, group="listen")
        history, diagnosis, jobs = await asyncio.gather(
            self._asked(Client.history), self._asked(Client.doctor), self._asked(Client.jobs)
        )
        if history is not None:
            self._recent.fill(history, self.host.now_s())
        self._findings = diagnosis.findings if diagnosis else ()
        self._jobs = jobs or ()
        self._show_happened()
        self._show_now()

    def show_status(self, status: Status) -> None:
        """Show what moves."""
        self._recent.grow(status, self.host.now_s())
        if self._is_new:
            self._is_new = False
            self._show_concerns()
            self._show_happened()
        self.query_one(Cards).show(status.models)
        self.query_one("#summary", Words).show([summary(status)])
        self._show_now()

    def hear(self, events: Sequence[FeedEvent]) -> None:
        """Count the requests that ended, and note those that failed; jobs may want attention."""
        self._recent.hear(events)
        self._note([event for event in events if event.type == "request.ended"])
        if any(event.type in ("job.state", "missed") for event in events):
            self.renew_soon()

    def on_cards_opened(self, opened: Cards.Opened) -> None:
        """Ask what is to be done with a model."""
        self.attempt(self._ask_about(opened.model))

    def on_data_table_row_selected(self, selected: DataTable.RowSelected) -> None:
        """Mend what needs attention, or go to where more can be seen."""
        table = selected.data_table
        if not isinstance(table, Table) or table.chosen is None:
            return
        if table.id == "attention" and (concern := self._concerns.get(table.chosen)):
            self._mend(concern)
        elif table.id == "happened" and (happened := self._happened.get(table.chosen)):
            self._go(happened.place)

    def action_load(self) -> None:
        """Load the chosen model; the default one where none is in memory."""
        model = self.query_one(Cards).chosen
        if model is not None:
            self._load(model.name)
        elif self.box.status is not None:
            self._load(self.box.status.default_model)

    def action_unload(self) -> None:
        """Take the chosen model out of memory."""
        if model := self.query_one(Cards).chosen:
            self._unload(model)

    def action_pin(self) -> None:
        """Keep the chosen model in memory, or let it leave again."""
        if model := self.query_one(Cards).chosen:
            self._pin(model)

    def action_attention(self) -> None:
        """Go to what needs attention."""
        self.query_one("#attention").focus()

    async def _ask_about(self, name: str) -> None:
        model = self._model(name)
        if model is None:
            return
        picked = await self.host.ask_person(Pick(name, choices(model)))
        match picked:
            case "load":
                self._load(name)
            case "unload":
                self._unload(model)
            case "pin":
                self._pin(model)
            case "details":
                self.app.push_screen(Reader(name, details(self._model(name) or model)))

    def _load(self, name: str) -> None:
        self.attempt(self._loaded(name))

    async def _loaded(self, name: str) -> None:
        await self.follow(lambda client: client.load(name), lambda progress: None)
        self.app.notify(tr("{model} is ready", model=name))

    def _unload(self, model: LoadedModelStatus) -> None:
        self.order(lambda client: client.unload(model.name), tr("{model} left the memory", model=model.name))

    def _pin(self, model: LoadedModelStatus) -> None:
        told = tr("{model} leaves the memory when it is idle", model=model.name)
        if not model.is_pinned:
            told = tr("{model} stays in memory", model=model.name)
        self.order(lambda client: client.pin(model.name, is_pinned=not model.is_pinned), told)

    def _mend(self, concern: Concern) -> None:
        match concern.deed:
            case Load(model):
                self._load(model)
            case Go(place):
                self._go(place)
            case Show(title, text, command):
                told = "\n\n".join(part for part in (title, text, command) if part)
                self.app.push_screen(Reader(tr("What needs attention"), told, copies=command))

    def _go(self, place: str) -> None:
        self.attempt(self.app.run_action(f"go({place!r})"))

    def _model(self, name: str) -> LoadedModelStatus | None:
        models = self.box.status.models if self.box.status else ()
        return next((model for model in models if model.name == name), None)

    async def _asked(self, call: Callable[[Client], T]) -> T | None:
        """Return None where the box is older or the key may not: what it would say is not vital."""
        with contextlib.suppress(ClientError):
            return await self.box.ask(call)
        return None

    async def _listen(self) -> None:
        """Hear what happened and happens, also while another place is in front, and over restarts of the box."""
        while True:
            try:
                await self.follow(self._news, self._hear_of)
            except ClientError as error:  # whether the box answers is said by the place
                if error.status == HTTPStatus.FORBIDDEN:
                    self._unheard = str(error)
                    self._show_happened()
            await asyncio.sleep(STATUS_EVERY_S)

    def _hear_of(self, event: FeedEvent) -> None:
        self._unheard = None
        self._note([event])
        if event.type == "model.state":
            self.box.hurry()

    def _news(self, client: Client) -> Generator[FeedEvent, None, None]:
        return client.events(last=NUM_PAST_EVENTS, types=KINDS, after=self._seq)

    def _note(self, events: Sequence[FeedEvent]) -> None:
        for event in events:
            if event.type.partition(".")[0] in KINDS:
                self._seq = event.seq
            if happening(event, {}):
                self._events[event.seq] = event
        # What is remembered comes event by event: it is painted once.
        if self._painting is None:
            self._painting = self.later(GATHER_S, self._show_happened)

    def _show_now(self) -> None:
        self.query_one(Trends).show(self._recent.trends())
        found = concerns(self.box.status, self._findings, self._jobs, self.host.now_s())
        if {each.key: each for each in found} != self._concerns:
            self._concerns = {each.key: each for each in found}
            self._show_concerns()

    def _show_concerns(self) -> None:
        rows = [concern_row(each) for each in self._concerns.values()]
        if not rows and self.box.status is not None:
            rows = [_nothing(tr("nothing needs attention"))]
        self.query_one("#attention", Table).show(rows)

    def _show_happened(self) -> None:
        self._painting = None
        subjects = {str(job.id): job_subject(job) for job in self._jobs}
        newest = sorted(self._events.values(), key=lambda event: -event.seq)[:MAX_HAPPENINGS]
        self._events = {event.seq: event for event in newest}
        told = [each for event in newest if (each := happening(event, subjects))]
        self._happened = {str(each.seq): each for each in told}
        rows = [happening_row(each, self.host.now_s()) for each in told]
        if self._unheard:
            rows = [Row("unheard", {"sign": toned("▲", "warning"), "text": self._unheard})]
        elif not rows and self.box.status is not None:
            rows = [_nothing(tr("nothing happened yet"))]
        self.query_one("#happened", Table).show(rows)


class _List(Table):
    """A table without titles, whose cursor is seen only while the keys are its own."""

    def __init__(self, id_: str, *columns: Column) -> None:
        super().__init__(columns, id=id_)
        self.show_header = self.show_cursor = False

    def on_focus(self) -> None:
        """Show where Enter does something."""
        self.show_cursor = True

    def on_blur(self) -> None:
        """Be calm."""
        self.show_cursor = False


def _nothing(text: str) -> Row:
    return Row("nothing", {"sign": toned("●", "success"), "text": toned(text, "muted")})

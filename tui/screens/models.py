"""The models of the box and those that it could have: one table, what is known of the chosen one, and what to do."""

import contextlib
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widgets import Input, Static

from appliance.client import Client, ClientError
from appliance.core.admin import Status
from appliance.core.catalogue import CatalogueAnswer, Fit
from appliance.core.feed import FeedEvent
from appliance.core.jobs import Job
from appliance.core.store import AdapterView, ModelVersions
from appliance.words import tr
from tui.dialogs.pick import Pick
from tui.widgets.facts import Facts
from tui.widgets.table import Table
from tui.widgets.tones import to_text

from .jobs_rows import advanced
from .models_entries import Entry, entries, holds, settled
from .models_facts import about, sections
from .models_making import ModelMaking
from .models_rows import COLUMNS, row, sentence
from .models_words import job_line, work

LOOK_AFTER_S = 0.08
"""Who goes through the rows does not want to know all of each: that would hold the keys up."""
CATALOGUE_HOLDS_S = 60.0
"""So long the ranks of the catalogue are good: what is free changes while models come and go."""
FIT_HOLDS_S = 20.0
RATES_EVERY_S = 2.0
_JUDGED_AT_ONCE = 6

_MORE = (
    ("alias", "a"),
    ("versions", "v"),
    ("quantize", "z"),
    ("quality", "t"),
    ("convert", "f"),
    ("compile", "o"),
    ("measure", "b"),
    ("verify", "s"),
    ("default", "D"),
    ("copy", "c"),
    ("new", "n"),
    ("clean", "G"),
)
_OF_MODEL = {"pin", "explain", *(action for action, _ in _MORE)} - {"copy", "new", "clean"}
"""What can be done with an installed model in any state."""


class ModelsPlace(ModelMaking):
    """Keeps what the box says of models, and shows the rows that the person wants to see, each where it was."""

    CSS_PATH = "models.tcss"
    EXPLAINS = (
        "The models of this box, then those that it could have, the best for this machine first. ● is in memory, "
        "○ is on the disk, + could be fetched, · is not for this machine, ◇ is an adapter, ▲ is damaged. A speed with "
        "~ is predicted, one without was measured here. The filter knows words such as installed, fits, tools, code."
    )
    RENEWED_BY = frozenset({"model", "job"})
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (130, "-wide")]  # noqa: RUF012  # as of the application
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", show=False),
        Binding("enter", "details", "Details", priority=True, show=False),
        Binding("g", "get", "Get"),
        Binding("space", "pause", "Pause/resume"),
        Binding("x", "cancel", "Cancel"),
        Binding("l", "load", "Load"),
        Binding("u", "unload", "Unload"),
        Binding("p", "pin", "Pin"),
        Binding("e", "explain", "Explain"),
        Binding("d", "delete", "Delete"),
        Binding("m", "more", "More"),
        Binding("n", "new", "Get by a reference", show=False),
        Binding("a", "alias", "Set an alias", show=False),
        Binding("v", "versions", "Versions, and back to one", show=False),
        Binding("z", "quantize", "Quantize, or measure types", show=False),
        Binding("t", "quality", "Table of its types", show=False),
        Binding("f", "convert", "Convert to another format", show=False),
        Binding("o", "compile", "Compile for this processor", show=False),
        Binding("b", "measure", "Measure its speed", show=False),
        Binding("s", "verify", "Verify its files", show=False),
        Binding("D", "default", "Make it the default", show=False),
        Binding("c", "copy", "Copy what is known of it", show=False),
        Binding("G", "clean", "Delete what belongs to no model", show=False),
        Binding("escape", "back", show=False),
    ]

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._order: list[str] = []
        self._shown: dict[str, Entry] = {}
        self._meanings: dict[str, ModelVersions] = {}
        self._judged_s: dict[str, float] = {}
        self._is_judging = False
        self._asked_s: float | None = None
        self._catalogue_s = 0.0
        self._looking: Timer | None = None
        self._offered: tuple[str, ...] = ()
        self._said: dict[str, Any] = {}

    @property
    def chosen(self) -> Entry | None:
        """Return the entry under the cursor."""
        key = self.query_one(Table).chosen
        return self._shown.get(key) if key is not None else None

    def body(self) -> Iterable[Any]:
        """Yield the table beside what is known of the chosen one, between the filter and the sentence about it."""
        with Horizontal(id="bar"):
            yield Input(
                placeholder=tr("filter: press / and type, such as: installed, fits, tools"), id="filter", compact=True
            )
            yield Static(id="count", markup=False)
        with Horizontal(id="both"):
            yield Table(COLUMNS, id="models")
            yield Static(id="empty", markup=False)
            yield Facts(id="facts")
        yield Static(id="sentence", markup=False)

    def on_mount(self) -> None:
        """Give the keys to the table."""
        self.query_one(Table).focus()
        self.paint()

    def on_screen_resume(self) -> None:
        """Come to the front; what moved while nobody looked takes its new place."""
        if not self._is_in_front:
            self._order = []
        super().on_screen_resume()

    async def renew(self) -> None:
        """Fetch models and jobs and, where they may be others now, the catalogue and the adapters."""
        models, jobs = await self.box.ask(lambda client: (client.models(), client.jobs()))
        now_s = self.host.now_s()
        are_others = {model.name for model in models} != {model.name for model in self.known.models}
        is_first, self._asked_s = self._asked_s is None, now_s
        meanwhile = {id_: job for id_, job in self.known.jobs.items() if id_ in self.ordered}
        self.known.models, self.known.jobs = models, {**meanwhile, **{job.id: job for job in jobs}}
        self._tell_ends()
        if not is_first:
            self.paint()
        if self.known.catalogue is None or are_others or now_s - self._catalogue_s > CATALOGUE_HOLDS_S:
            self.known.catalogue, self.known.adapters = await self.box.ask(_what_could_be)
            self._catalogue_s = now_s
            self.paint()
        if not self._is_judging:
            self.attempt(self._judge_all())

    def show_status(self, status: Status) -> None:
        """Show what is in memory."""
        self.known.live = {}
        for live in status.models:
            name = live.name.partition("@")[0]
            if name not in self.known.live or live.state == "ready":
                self.known.live[name] = live
        if self._asked_s is not None:
            self.paint()

    def hear(self, events: Sequence[FeedEvent]) -> None:
        """Show progress as it is told; ask anew when something changed its state, and now and then how fast it goes."""
        self.known.jobs = {job.id: job for job in advanced(tuple(self.known.jobs.values()), events)}
        for event in events:
            if event.type == "model.benchmarked":
                self.known.fits.pop(str(event.data.get("candidate")).partition("@")[0], None)
        if any(event.type == "job.progress" for event in events):
            self.paint()
            if self._asked_s is None or self.host.now_s() - self._asked_s > RATES_EVERY_S:
                self.renew_soon()
        super().hear([event for event in events if event.type != "job.progress"])

    def paint(self) -> None:
        """Show the rows that are wanted, each where it was."""
        found = settled(entries(self.known, self.host.now_s()), self._order)
        self._order = [entry.key for entry in found]
        words = self.query_one("#filter", Input).value.lower().split()
        wanted = [entry for entry in found if holds(entry, words)]
        self._shown = {entry.key: entry for entry in wanted}
        self.query_one(Table).show(map(row, wanted))
        self._show_counts(found, wanted)
        self._show_chosen()

    def go_to_work(self, job: Job) -> None:
        """Put the cursor on the row of a job."""
        key = next(
            (key for key, entry in self._shown.items() if entry.job is not None and entry.job.id == job.id), None
        )
        if key is not None:
            self.query_one(Table).go_to(key)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what the chosen entry allows."""
        if not self.is_mounted or not self.query("#models"):
            return True
        entry, table = self.chosen, self.query_one(Table)
        if action == "details":
            return table.has_focus and entry is not None
        is_installed = entry is not None and entry.model is not None
        if action in _OF_MODEL:
            return is_installed
        match action:
            case "get":
                return entry is not None and entry.kind == "catalogue" and not entry.is_busy
            case "load":
                return entry is not None and is_installed and entry.state in ("stopped", "failed")
            case "unload":
                return entry is not None and is_installed and entry.live is not None and entry.state != "failed"
            case "delete":
                return entry is not None and entry.kind in ("installed", "adapter") and not entry.is_busy
            case "pause":
                return entry is not None and entry.is_busy
            case "cancel":
                return entry is not None and (entry.is_busy or entry.state == "loading")
        return True

    def on_input_changed(self) -> None:
        """Show what holds the words, with every letter that is typed."""
        self.paint()

    def on_input_submitted(self) -> None:
        """Go from the filter to the table."""
        self.query_one(Table).focus()

    def on_data_table_row_highlighted(self) -> None:
        """Say what the chosen one is, and all of it once the cursor rests."""
        self._say("#sentence", self.doing or sentence(self.chosen))
        if self._looking is not None:
            self._looking.stop()
        self._looking = self.later(LOOK_AFTER_S, self._look)

    def action_filter(self) -> None:
        """Begin to type what the rows must hold."""
        self.query_one("#filter", Input).focus()

    def action_details(self) -> None:
        """Read what is known of the chosen one; where it has no room beside the table, in its place."""
        self.add_class("-reading")
        self.query_one(Facts).focus()
        self._show_chosen()

    def action_back(self) -> None:
        """Go back to the table; from there, show all rows again."""
        if self.query_one(Table).has_focus:
            self.query_one("#filter", Input).value = ""
        self.remove_class("-reading")
        self.query_one(Table).focus()

    def action_copy(self) -> None:
        """Copy all that is known of the chosen one."""
        if (entry := self.chosen) is not None:
            facts = self.query_one(Facts)
            self._show_facts(entry)
            self.app.copy_to_clipboard(facts.text)

    def action_more(self) -> None:
        """Choose among what is done less often."""
        self.attempt(self._more())

    async def _more(self) -> None:
        names = {each.action: each.description for each, *_ in self._bindings.key_to_bindings.values()}
        offered = [(action, key) for action, key in _MORE if self.check_action(action, ())]
        choices = [(action, f"{key}   {tr(names[action])}") for action, key in offered]
        entry = self.chosen
        action = await self.host.ask_person(Pick(entry.name if entry is not None else tr("Models"), choices))
        if action is not None:
            await self.run_action(action)

    def _show_counts(self, found: Sequence[Entry], wanted: Sequence[Entry]) -> None:
        if self._asked_s is None:
            counted = tr("asking the box")
        elif len(found) == len(wanted):
            counts = {kind: sum(entry.kind == kind for entry in found) for kind in ("installed", "catalogue")}
            counted = tr("{installed} installed, {catalogue} to have", **counts)
        else:
            counted = tr("{shown} of {all}", shown=len(wanted), all=len(found))
        self._say("#count", counted)
        self._say("#empty", tr("No model is meant by that. Esc shows all.") if not wanted and found else "")
        self.set_class(not wanted and bool(found), "-empty")

    def _show_chosen(self) -> None:
        entry = self.chosen
        self._say("#sentence", self.doing or sentence(entry))
        if entry is not None and (self.has_class("-wide") or self.has_class("-reading")):
            self._show_facts(entry)
        offered = tuple(
            action for action in ("get", "load", "unload", "delete", "pause", "pin") if self.check_action(action, ())
        )
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    def _show_facts(self, entry: Entry) -> None:
        self.query_one(Facts).show(entry.name, about(entry), sections(entry, self._meanings.get(entry.key)))

    def _say(self, where: str, text: Any) -> None:
        """Write a text where it is another than before."""
        if self._said.get(where) != text:
            self._said[where] = text
            self.query_one(where, Static).update(to_text(text, self.app.theme_variables))

    def _tell_ends(self) -> None:
        """Say what became of the work that was ordered here."""
        for job in [job for job in self.known.jobs.values() if job.id in self.ordered and job.has_ended]:
            self.ordered.discard(job.id)
            name = str((job.result or {}).get("model") or job.arguments.get("name") or job.arguments.get("model") or "")
            if job.state == "failed":
                self.app.notify(job_line(job), severity="error", timeout=10)
            elif job.state == "done":
                self.app.notify(_end_of(job, name), timeout=6)

    def _look(self) -> None:
        entry = self.chosen
        self._show_chosen()
        if entry is None or entry.adapter is not None or entry.kind == "coming":
            return
        if self.host.now_s() - self._judged_s.get(entry.key, 0.0) > FIT_HOLDS_S:
            self.attempt(partial(self._judge, entry), group="details")

    async def _judge(self, entry: Entry) -> None:
        """Ask how the chosen one fits, and what its name has meant."""
        name = entry.name
        if entry.item is not None and entry.model is None and entry.item.quantization:
            name = f"{name}:{entry.item.quantization}"
        with contextlib.suppress(ClientError):  # nothing is known of it then, which is what is shown
            self.known.fits[entry.name] = await self.box.ask(lambda client: client.fit(name))
            if entry.model is not None:
                self._meanings[entry.key] = await self.box.ask(lambda client: client.versions(name))
        self._judged_s[entry.key] = self.host.now_s()
        self.paint()

    async def _judge_all(self) -> None:
        """Ask how each installed model fits, a few at a time, as long as somebody looks."""
        self._is_judging = True
        try:
            while self.is_current or self.app.screen_stack[0] is self:
                unknown = {each.digest: each.name for each in self.known.models if each.name not in self.known.fits}
                found = await self.box.ask(partial(_fits, list(unknown.items())[:_JUDGED_AT_ONCE]))
                if not found:
                    break
                for model in self.known.models:  # aliases are of the same files
                    if model.digest in found:
                        self.known.fits.setdefault(model.name, found[model.digest])
                self.paint()
        finally:
            self._is_judging = False


def _what_could_be(client: Client) -> tuple[CatalogueAnswer, tuple[AdapterView, ...]]:
    adapters: tuple[AdapterView, ...] = ()
    with contextlib.suppress(ClientError):  # an older box has none
        adapters = client.adapters()
    return client.catalogue(), adapters


def _fits(models: Sequence[tuple[str, str]], client: Client) -> dict[str, Fit]:
    """Return how models fit, by digests, of (digest, name)."""
    found = {}
    for digest, name in models:
        with contextlib.suppress(ClientError):  # one that is damaged
            found[digest] = client.fit(name)
    return found


def _end_of(job: Job, name: str) -> str:
    if job.kind == "pull":
        return tr("{model} is here", model=name)
    if job.kind == "scrub" and (note := (job.result or {}).get("note")):
        return str(note)
    made = (job.result or {}).get("models")
    if isinstance(made, list):
        return tr("made: {models}. t shows the table.", models=", ".join(map(str, made)))
    return tr("{work} {model}: done", work=work(job), model=name)

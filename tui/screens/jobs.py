"""The long work of the box: what waits, runs and has ended, how far it is, and halting or giving it up."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from appliance.client import Client, ClientError
from appliance.client.tasks import TaskView
from appliance.core.feed import FeedEvent
from appliance.core.jobs import Job
from appliance.words import tr
from tui.dialogs.reader import Reader
from tui.dialogs.sheet import Sheet
from tui.widgets.facts import Fact
from tui.widgets.table import Table
from tui.widgets.tones import Toned, to_text

from .jobs_details import comparison_of, details, facts
from .jobs_rows import CHOICES, COLUMNS, Choice, Work, advanced, choice_in_words, row, summary
from .models_pages import quality
from .place import Place


class JobsPlace(Place):
    """Keeps the newest jobs of the box and the person's own tasks in one list."""

    CSS_PATH = "jobs.tcss"
    EXPLAINS = (
        "Work that takes long and goes on when you leave: downloads, conversions, quantizations, measurements, batches "
        "and tasks. After a crash or a restart of the box it goes on, too."
    )
    RENEWED_BY = frozenset({"job"})
    EVERY_S = 5.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "details", "Details", priority=True),
        Binding("space", "pause", "Pause", tooltip="Halt the job, or let it go on"),
        Binding("x", "cancel", "Cancel"),
        Binding("a", "again", "Again", tooltip="Try a failed task again"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("s", "state", "State", tooltip="Show all, what is open, what has ended, or what failed"),
        Binding("escape", "clear", show=False),
    ]

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._jobs: tuple[Job, ...] = ()
        self._tasks: tuple[TaskView, ...] = ()
        self._choice: Choice = "all"
        self._has_asked = False
        self._said: Toned = ""
        self._can_retry: bool | None = False

    def body(self) -> Iterable[Any]:
        """Yield the table between what chooses its rows and what is known of the chosen one."""
        with Horizontal(id="bar"):
            yield Static(id="state", markup=False)
            yield Input(placeholder=tr("filter: press / and type"), id="filter", compact=True)
            yield Static(id="count", markup=False)
        yield Table(COLUMNS, id="jobs")
        yield Static(id="empty", markup=False)
        yield Static(id="summary", markup=False)

    def on_mount(self) -> None:
        """Give the keys to the table."""
        self.query_one(Table).focus()
        self._show()

    async def renew(self) -> None:
        """Fetch all jobs, and the tasks of this key."""
        self._jobs = await self.box.ask(Client.jobs)
        try:
            self._tasks = tuple(await self.box.ask(Client.tasks))
        except ClientError:
            self._tasks = ()  # of a box without tasks, jobs are shown all the same
        self._has_asked = True
        self._show()

    def hear(self, events: Sequence[FeedEvent]) -> None:
        """Show progress as it is told, and ask anew when a job changed its state."""
        self._jobs = advanced(self._jobs, events)
        if any(event.type == "job.progress" for event in events):
            self._show()
        super().hear([event for event in events if event.type != "job.progress"])

    def on_input_changed(self) -> None:
        """Show what holds the text, with every letter that is typed."""
        self._show()

    def on_input_submitted(self) -> None:
        """Go from the filter to the table."""
        self.query_one(Table).focus()

    def on_data_table_row_highlighted(self) -> None:
        """Say more of the chosen one."""
        self._show_summary()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what the chosen one allows; while somebody types, Enter ends that."""
        if not self.is_mounted:
            return True
        work = self._chosen
        if action == "details":
            return self.query_one(Table).has_focus
        if action == "again":
            return work is not None and not isinstance(work.of, Job) and work.state == "failed"
        return True

    def action_filter(self) -> None:
        """Begin to type what the rows must hold."""
        self.query_one(Input).focus()

    def action_clear(self) -> None:
        """Show all rows again."""
        self.query_one(Input).value = ""
        self._choice = "all"
        self.query_one(Table).focus()
        self._show()

    def action_state(self) -> None:
        """Show the work in other states."""
        choices = list(CHOICES)
        self._choice = choices[(choices.index(self._choice) + 1) % len(choices)]
        self._show()

    def action_details(self) -> None:
        """Show everything that is known of the chosen one."""
        if (work := self._chosen) is not None:
            self.app.push_screen(_details(work))

    def action_pause(self) -> None:
        """Halt the chosen job, or let it go on."""
        work = self._chosen
        if work is None or work.state not in CHOICES["open"]:
            return
        if not isinstance(work.of, Job):
            self.app.notify(tr("a task cannot be paused; x cancels it"))
        elif work.state == "paused":
            self.order(lambda client: client.resume_job(work.id), tr("{job} goes on", job=work.id))
        else:
            self.order(lambda client: client.pause_job(work.id), tr("{job} is paused", job=work.id))

    def action_cancel(self) -> None:
        """Give the chosen one up."""
        work = self._chosen
        if work is not None and work.state in CHOICES["open"]:
            self.attempt(self._cancel(work))

    def action_again(self) -> None:
        """Try a failed task again."""
        if (work := self._chosen) is not None:
            self.order(lambda client: client.retry_task(work.id), tr("{job} waits for its turn", job=work.id))

    async def _cancel(self, work: Work) -> None:
        if work.state != "queued" or work.progress.done:
            question = tr("Cancel {work}?", work=f"{work.kind} {work.subject}".strip())
            consequence = tr("What it has done so far is deleted and cannot be taken up again.")
            if not await self.is_sure(question, consequence, tr("Cancel it")):
                return
        is_job = isinstance(work.of, Job)
        await self._ordered(
            lambda client: client.cancel_job(work.id) if is_job else client.cancel_task(work.id),
            tr("{job} is cancelled", job=work.id),
        )

    @property
    def _all(self) -> list[Work]:
        works = [*map(Work, self._jobs), *map(Work, self._tasks)]
        return sorted(works, key=lambda work: work.created_s, reverse=True)

    @property
    def _chosen(self) -> Work | None:
        key = self.query_one(Table).chosen
        return next((work for work in self._all if work.id == key), None)

    def _show(self) -> None:
        text = self.query_one(Input).value.strip()
        known = self._all
        shown = [work for work in known if work.state in CHOICES[self._choice] and work.holds(text)]
        self.query_one(Table).show(row(work, self.host.now_s()) for work in shown)
        self.query_one("#state", Static).update(tr("state: {state}", state=choice_in_words(self._choice)))
        self.query_one("#count", Static).update(tr("{shown} of {all}", shown=len(shown), all=len(known)))
        empty = self.query_one("#empty", Static)
        empty.set_class(not shown and self._has_asked, "-shown")
        empty.update(
            tr("Nothing of the kind. Esc shows all.")
            if known
            else tr("There is no long work. A model that you install or quantize appears here, and every batch.")
        )
        self._show_summary()

    def _show_summary(self) -> None:
        work = self._chosen
        said = "" if work is None else summary(work)
        if said != self._said:
            self._said = said
            self.query_one("#summary", Static).update(to_text(said, self.app.theme_variables))
        can_retry = self.check_action("again", ())
        if can_retry != self._can_retry:  # the keys below are only painted anew when they change
            self._can_retry = can_retry
            self.refresh_bindings()


def _details(work: Work) -> ModalScreen[Any]:
    """Return the dialog with everything that is known: a table where types of a model were measured, else a text."""
    comparison = comparison_of(work.of) if isinstance(work.of, Job) else None
    if comparison is None:
        return Reader(f"{work.kind} {work.subject}".strip(), details(work))
    page = quality(comparison)
    known = (Fact(label, value) for label, value in facts(work))
    return Sheet(replace(page, notes=(*page.notes, *known)))

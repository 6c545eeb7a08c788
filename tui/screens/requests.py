"""The requests to the box: what waits and runs, what ended last, where the time of each went, and cancelling one."""

from collections.abc import Iterable
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from appliance.client import Client
from appliance.core.admin import Requests, RequestStatus
from appliance.words import tr
from tui.dialogs.reader import Reader
from tui.widgets.table import Table
from tui.widgets.words import Words

from .place import Place
from .requests_rows import CHOICES, COLUMNS, Choice, about, chosen_ones, details, is_open, row, summary


class RequestsPlace(Place):
    """Keeps what the box knows of its requests, of which nobody but the caller sees the words."""

    CSS_PATH = "requests.tcss"
    EXPLAINS = (
        "The requests that run and wait, then those that ended, the newest first: for whom, how long each waited "
        "(queue), was read (prefill) and written (decode), and how much of its prompt was in the cache. What they say "
        "is never shown."
    )
    EVERY_S = 1.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "details", "Details", priority=True),
        Binding("x", "cancel", "Cancel", tooltip="End the request; whoever waits for it is told"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("s", "state", "State", tooltip="Show all, what is open, what has ended, or what failed"),
        Binding("c", "copy", "Copy id"),
        Binding("escape", "clear", show=False),
    ]

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._requests: Requests | None = None
        self._choice: Choice = "all"
        self._said: dict[str, str] = {}

    def body(self) -> Iterable[Any]:
        """Yield the table between what chooses its rows and what is known of the chosen one."""
        yield Words(id="recent")
        with Horizontal(id="bar"):
            yield Static(id="state", markup=False)
            yield Input(placeholder=tr("filter: press / and type"), id="filter", compact=True)
            yield Static(id="count", markup=False)
        yield Table(COLUMNS, id="requests")
        yield Static(id="empty", markup=False)
        yield Words(id="about")

    def on_mount(self) -> None:
        """Give the keys to the table."""
        self.query_one(Table).focus()
        self._show()

    async def renew(self) -> None:
        """Ask for all that is known now."""
        requests = await self.box.ask(Client.requests)
        if requests != self._requests:
            self._requests = requests
            self._show()

    def on_input_changed(self) -> None:
        """Show what holds the text, with every letter that is typed."""
        self._show()

    def on_input_submitted(self) -> None:
        """Go from the filter to the table."""
        self.query_one(Table).focus()

    def on_data_table_row_highlighted(self) -> None:
        """Say more of the chosen one."""
        self._show_chosen()

    def on_data_table_row_selected(self) -> None:
        """Show the details of the one that was clicked."""
        self.action_details()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Enter to whoever types."""
        return action != "details" or not self.is_mounted or self.query_one(Table).has_focus

    def action_details(self) -> None:
        """Show all that is known of the chosen one, and where its time went."""
        if (request := self._chosen) is not None:
            self.app.push_screen(Reader(tr("Request to {model}", model=request.model), details(request)))

    def action_cancel(self) -> None:
        """End the chosen one."""
        request = self._chosen
        if request is None:
            return
        if not is_open(request):
            self.app.notify(tr("this request has ended already"))
            return
        said = tr("the request of {caller} to {model} is cancelled", caller=request.caller, model=request.model)
        self.order(lambda client: client.cancel_request(request.id), said)

    def action_filter(self) -> None:
        """Begin to type what the rows must hold."""
        self.query_one(Input).focus()

    def action_clear(self) -> None:
        """Show all requests again."""
        self.query_one(Input).value = ""
        self._choice = "all"
        self.query_one(Table).focus()
        self._show()

    def action_state(self) -> None:
        """Show the requests in other states."""
        choices = list(CHOICES)
        self._choice = choices[(choices.index(self._choice) + 1) % len(choices)]
        self._show()

    def action_copy(self) -> None:
        """Copy the id of the chosen one, as logs and answers have it."""
        if (request := self._chosen) is not None:
            self.app.copy_to_clipboard(request.id)

    @property
    def _chosen(self) -> RequestStatus | None:
        key = self.query_one(Table).chosen
        known = self._requests.requests if self._requests else ()
        return next((request for request in known if request.id == key), None)

    def _show(self) -> None:
        requests = self._requests.requests if self._requests else ()
        shown = chosen_ones(requests, self._choice, self.query_one(Input).value)
        self.query_one(Table).show(map(row, shown))
        names = {"all": tr("all"), "open": tr("open"), "ended": tr("ended"), "failed": tr("failed")}
        self._say("#state", tr("shown: {state}", state=names[self._choice]))
        self._say("#count", tr("{shown} of {all} requests", shown=len(shown), all=len(requests)))
        none = tr("No request came yet. Whatever a program or the chat asks of this box appears here.")
        self._say("#empty", none if not requests else tr("No request is like that. Esc shows all."))
        self.query_one("#empty").set_class(not shown, "-shown")
        if self._requests is not None:
            self.query_one("#recent", Words).show([summary(self._requests.recent)])
        self._show_chosen()

    def _say(self, where: str, text: str) -> None:
        """Write a text where it is another one: each writing measures the whole screen anew."""
        if self._said.get(where) != text:
            self._said[where] = text
            self.query_one(where, Static).update(text)

    def _show_chosen(self) -> None:
        self.query_one("#about", Words).show(about(self._chosen))

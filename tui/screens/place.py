"""What all places share: the top line, the keys, asking the box without waiting for it, and saying what went wrong."""

from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar, cast

from textual import actions
from textual.app import ComposeResult
from textual.binding import Binding, BindingsMap
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static
from textual.worker import Worker

from appliance.client import Client, ClientError
from appliance.core.admin import Status
from appliance.core.feed import FeedEvent
from appliance.words import tr
from tui.box import Box, Lost
from tui.dialogs.confirm import Confirm
from tui.host import Host
from tui.widgets.keys import Keys
from tui.widgets.top_line import TopLine

RENEW_AFTER_S = 0.3
"""Events of so long lead to one question to the box."""

T = TypeVar("T")


class Place(Screen[None]):
    """A screen that a number leads to. A subclass composes `body`, and overrides what it wants to hear of.

    `EXPLAINS` says in English what the place is for; `RENEWED_BY` are first parts of the types of events after which
    the place is renewed, and `EVERY_S` is how often it is renewed in any case. Both count while it is in front.
    """

    EXPLAINS: ClassVar[str] = ""
    RENEWED_BY: ClassVar[frozenset[str]] = frozenset()
    EVERY_S: ClassVar[float | None] = None

    def __init__(self, name: str) -> None:
        super().__init__(name=name, classes="-unknown")
        self._is_in_front = False
        self._ticking: Timer | None = None
        self._soon: Timer | None = None
        self._complaint: str | None = None
        self._refusal: str | None = None
        self._renewal: Worker[Any] | None = None

    @property
    def host(self) -> Host:
        """Return the application."""
        return cast(Host, self.app)

    @property
    def box(self) -> Box:
        """Return the box that all is about."""
        return self.host.box

    @property
    def is_there(self) -> bool:
        """Return whether its widgets can be painted: not before it is mounted, nor while the application ends."""
        return self.is_mounted and self.app.is_running

    def later(self, pause_s: float, paint: Callable[[], object]) -> Timer:
        """Paint something in a moment, unless the place is gone by then."""
        return self.set_timer(pause_s, lambda: self.is_there and paint())

    @property
    def active_bindings(self) -> dict[str, Any]:
        """Return the keys with what they do, in the language of the person."""
        bindings = super().active_bindings
        return {
            key: each._replace(binding=replace(each.binding, description=tr(each.binding.description)))
            for key, each in bindings.items()
        }

    def offers(self) -> Iterator[Binding]:
        """Yield what can be done here now, in the language of the person, also while keys are typed into a line."""
        known: set[str] = set()
        for binding in (each for found in BindingsMap(self.BINDINGS).key_to_bindings.values() for each in found):
            _, action, parameters = actions.parse(binding.action)
            if binding.description and binding.action not in known and self.check_action(action, parameters):
                known.add(binding.action)
                yield replace(binding, description=tr(binding.description), tooltip=tr(binding.tooltip))

    def compose(self) -> ComposeResult:
        """Put the place between the line that all have and the keys."""
        yield TopLine(self.name or "")
        yield from self.body()
        yield Static(id="lost", markup=False)
        yield Keys()

    def body(self) -> Iterable[Any]:
        """Yield what the place shows."""
        return ()

    async def renew(self) -> None:
        """Ask the box for what is shown, and show it. Raises: ClientError."""

    def show_status(self, status: Status) -> None:
        """Show what the box does now. Once a second; does nothing that moves."""

    def hear(self, events: Sequence[FeedEvent]) -> None:
        """Take note of what happened on the box."""
        kinds = {event.type.partition(".")[0] for event in events}
        if kinds & {*self.RENEWED_BY, "missed"}:
            self.renew_soon()

    def show_link(self, lost: Lost | None, *, is_new: bool = False) -> None:
        """Show whether the box answers; when it does again, everything is asked anew."""
        self.query_one(TopLine).show(self.box.url, lost)
        reason = self._refusal if lost is None else lost.reason
        banner = self.query_one("#lost", Static)
        banner.set_class(reason is not None, "-shown")
        if reason is not None:
            may_not = lost is None or lost.is_refused
            hint = tr("press k to enter another key") if may_not else tr("it is tried again and again")
            banner.update(f"✕ {reason}\n  {hint}")
        if lost is None and is_new:
            self.renew_soon()

    def show_refusal(self, refusal: str | None) -> None:
        """Show for as long as it is so what the key may not, rather than tell it time and again."""
        self.set_class(refusal is not None, "-refused")
        if refusal != self._refusal:
            self._refusal = refusal
            self.show_link(self.box.lost)

    def renew_soon(self) -> None:
        """Ask the box anew, once for all that happens in a moment."""
        if self._is_in_front and self._soon is None:
            self._soon = self.later(RENEW_AFTER_S, self._renew_after_all)

    def attempt(
        self, work: Coroutine[Any, Any, T] | Callable[[], Coroutine[Any, Any, T]], *, group: str = "attempt"
    ) -> Worker[T | None]:
        """Do something that may fail beside all else. What goes wrong is shown to the person, and the result is None.

        Work of a group other than `attempt` ends the earlier work of that group, perhaps before it began: give such
        work as a function.
        """

        async def begin() -> T | None:
            return await self._explained(work() if callable(work) else work)

        return self.run_worker(begin, group=group, exclusive=group != "attempt", exit_on_error=True)

    def order(self, call: Callable[[Client], Any], said: str | None = None) -> Worker[Any]:
        """Tell the box to do something; `said` is shown once it did."""
        return self.attempt(self._ordered(call, said))

    async def follow(self, call: Callable[[Client], Generator[T, None, None]], show: Callable[[T], object]) -> None:
        """Show every item of a stream as it comes. Raises: ClientError."""
        async for item in self.box.stream(call):
            if self.is_there:
                show(item)

    async def is_sure(self, question: str, consequence: str, yes: str) -> bool:
        """Ask before something that cannot be undone. Only within a worker (`attempt`)."""
        return await self.host.ask_person(Confirm(question, consequence, yes))

    def complain(self, error: ClientError) -> None:
        """Show why something did not work."""
        self.app.notify(str(error), severity="error", timeout=8)

    def on_screen_resume(self) -> None:
        """Come to the front: show what is known, and ask for the rest."""
        self._is_in_front = True
        self.show_link(self.box.lost)
        if self.box.status is not None:
            self.show_status(self.box.status)
            self._renew()
        if self._ticking is not None:
            self._ticking.stop()  # it went on below a dialog
        if self.EVERY_S is not None:
            self._ticking = self.set_interval(self.EVERY_S, self._tick)

    def on_screen_suspend(self) -> None:
        """Go to the back, and be quiet there."""
        self._is_in_front = self.app.screen_stack[0] is self
        if not self._is_in_front and self._ticking is not None:
            self._ticking.stop()

    def _renew_after_all(self) -> None:
        self._soon = None
        self._renew()

    def _tick(self) -> None:
        if self._renewal is None or self._renewal.is_finished:  # a slow line would never bring an answer to its end
            self._renew()

    def _renew(self) -> None:
        if self.box.lost is None:
            self._renewal = self.attempt(self._renewed, group="renew")

    async def _renewed(self) -> None:
        """Renew; what goes wrong time and again is told once."""
        try:
            await self.renew()
        except ClientError as error:
            if error.status == HTTPStatus.FORBIDDEN:
                self.show_refusal(str(error))
                return
            if str(error) == self._complaint:
                return
            self._complaint = str(error)
            raise
        self._complaint = None
        self.remove_class("-unknown")
        self.show_refusal(None)

    async def _ordered(self, call: Callable[[Client], Any], said: str | None) -> Any:
        result = await self.box.ask(call)
        if said:
            self.app.notify(said)
        self.box.hurry()
        self.renew_soon()
        return result

    async def _explained(self, work: Awaitable[T]) -> T | None:
        try:
            return await work
        except ClientError as error:
            if self.box.lost is None:
                self.complain(error)
            return None
        except NoMatches:
            if self.is_there:
                raise
            return None  # the answer came when nothing was left to paint it on

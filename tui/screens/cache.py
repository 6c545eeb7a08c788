"""What is kept so that nothing is computed twice: whole answers and prefixes of prompts, and forgetting the answers."""

from collections.abc import Iterable
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from appliance.client import Client
from appliance.core.response_cache import CacheFigures
from appliance.words import tr
from tui.widgets.figures import number, size
from tui.widgets.words import Words

from .cache_rows import lines
from .place import Place


class CachePlace(Place):
    """Shows every place where something computed is kept, how full it is and what it saved."""

    CSS_PATH = "cache.tcss"
    EXPLAINS = (
        "Whole answers are kept where the same question would get the same answer. Prefixes of prompts are kept as "
        "what the model computed of them: in its KV cache, then in RAM, then on disk. Prefixes make room by "
        "themselves; answers can be forgotten here."
    )
    EVERY_S = 3.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "clear", "Clear", tooltip="Forget all answers"),
        Binding("r", "renew", "Refresh", show=False),
    ]

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._figures: CacheFigures | None = None

    def body(self) -> Iterable[Any]:
        """Yield the lines, which can be scrolled."""
        with VerticalScroll(id="tiers"):
            yield Words(id="lines")

    def on_mount(self) -> None:
        """Give the keys to the lines."""
        self.query_one("#tiers").focus()

    def on_resize(self) -> None:
        """Make the bars as long as there is room."""
        self._show()

    async def renew(self) -> None:
        """Ask what is kept now."""
        self._figures = await self.box.ask(Client.response_cache)
        self._show()

    def action_renew(self) -> None:
        """Ask anew, now."""
        self.renew_soon()

    def action_clear(self) -> None:
        """Forget all answers, if the person is sure."""
        self.attempt(self._clear())

    async def _clear(self) -> None:
        figures = await self.box.ask(Client.response_cache)
        if not figures.num_entries:
            self.app.notify(tr("no answer is kept: there is nothing to forget"))
            return
        consequence = tr(
            "{count} answers are forgotten, which frees {size}. The same questions are computed again then. "
            "Prefixes of prompts stay.",
            count=number(figures.num_entries),
            size=size(figures.disk_bytes + figures.memory_bytes),
        )
        if not await self.is_sure(tr("Forget all answers?"), consequence, tr("Forget")):
            return
        cleared = await self.box.ask(Client.clear_response_cache)
        freed = size(cleared.freed_bytes)
        self.app.notify(tr("{count} answers forgotten, {size} freed", count=number(cleared.num_entries), size=freed))
        self.renew_soon()

    def _show(self) -> None:
        if self._figures is not None:
            width = self.size.width - 4  # of which two are for the bar at the right edge
            self.query_one("#lines", Words).show([(line, "") for line in lines(self._figures, width)])

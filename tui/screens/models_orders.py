"""What can be done with a model as it is: fetching it, memory, halting work, deleting. Knows no widget of the place."""

from abc import abstractmethod
from pathlib import PurePosixPath

from appliance.client import Client
from appliance.core.admin import AddModel, Done, Progress, Removed
from appliance.core.jobs import Job
from appliance.core.pulls import PullModel
from appliance.words import tr
from tui.dialogs.ask import Ask
from tui.dialogs.pick import Pick

from .models_entries import Entry, Known
from .models_words import size, work
from .place import Place


class ModelOrders(Place):
    """Gives the orders that are about the chosen entry, of which `known` tells and the subclass shows rows."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.known = Known()
        self.ordered: set[str] = set()
        self.doing = ""

    @property
    @abstractmethod
    def chosen(self) -> Entry | None:
        """Return the entry under the cursor."""

    @abstractmethod
    def paint(self) -> None:
        """Show what is known now."""

    @abstractmethod
    def go_to_work(self, job: Job) -> None:
        """Put the cursor on the row of a job."""

    def take(self, job: Job) -> None:
        """Show a job that was ordered here, and tell its end when it comes."""
        self.ordered.add(job.id)
        self.known.jobs[job.id] = job
        self.paint()
        self.go_to_work(job)

    def action_get(self) -> None:
        """Fetch a model of the catalogue, in the quantization that suits this machine."""
        entry = self.chosen
        if entry is not None and (item := entry.item) is not None:
            order = PullModel(model=item.name, name=item.name, quantization=item.quantization)
            self.attempt(self._pull(order))

    def action_new(self) -> None:
        """Fetch or take in what is not in the table."""
        self.attempt(self._new())

    def action_load(self) -> None:
        """Load a model into memory."""
        if self.chosen is not None:
            self.attempt(self._load(self.chosen.name))

    def action_unload(self) -> None:
        """Take a model out of memory."""
        if (entry := self.chosen) is not None:
            name = entry.live.name if entry.live is not None else entry.name
            self.order(lambda client: client.unload(name), tr("{model} is out of memory", model=name))

    def action_pin(self) -> None:
        """Keep a model in memory, or let it go again when it is idle."""
        if (entry := self.chosen) is not None:
            name, is_pinned = entry.name, not entry.is_pinned
            said = (
                tr("{model} stays in memory", model=name) if is_pinned else tr("{model} may go when idle", model=name)
            )
            self.order(lambda client: client.pin(name, is_pinned=is_pinned), said)

    def action_pause(self) -> None:
        """Halt the work at a row, or let it go on."""
        if self.chosen is not None and (job := self.chosen.job) is not None:
            self.attempt(self._turn(job))

    def action_cancel(self) -> None:
        """Give the work at a row up, or the loading."""
        if (entry := self.chosen) is None:
            return
        if entry.job is not None and entry.is_busy:
            self.attempt(self._cancel(entry, entry.job))
        else:
            self.action_unload()

    def action_delete(self) -> None:
        """Delete a model or an adapter, once it is clear what that frees."""
        if (entry := self.chosen) is not None:
            self.attempt(self._delete(entry))

    async def _pull(self, order: PullModel) -> None:
        self.take(await self.box.ask(lambda client: client.pull_model(order)))

    async def _new(self) -> None:
        says = tr(
            "hf:OWNER/REPO[:QUANT|:FILE], ms:OWNER/REPO, ollama:NAME[:TAG], https://…/FILE.gguf, "
            "a name of the catalogue, or a path on the box that begins with /"
        )
        text = await self.host.ask_person(Ask(tr("Get a model"), says, placeholder="hf:OWNER/REPO:Q4_K_M"))
        if not text:
            return
        if not text.startswith(("/", "~")):
            await self._pull(PullModel(model=text))
            return
        choices = (
            ("adopt", tr("use it where it lies")),
            ("copy", tr("copy it into the appliance")),
            ("convert", tr("convert it: a folder of safetensors")),
            ("adapter", tr("it is a LoRA adapter")),
        )
        how = await self.host.ask_person(Pick(PurePosixPath(text).name, choices))
        if how == "adapter":
            added = await self.box.ask(lambda client: client.add_adapter(text))
            self.app.notify(tr("{name} is here", name=added.name))
            self.renew_soon()
        elif how == "convert":
            self.take(await self.box.ask(lambda client: client.submit_job("convert", {"model": text, "to": "gguf"})))
        elif how is not None:
            await self._adopt(AddModel(path=text, copy=how == "copy"))

    async def _adopt(self, order: AddModel) -> None:
        def show(event: Progress | Done) -> None:
            if isinstance(event, Done):
                self.app.notify(tr("{name} is here", name=event.model.name))
                return
            far = f"{event.done / event.total:.0%}" if event.total else size(event.done)
            self.doing = f"{order.path}: {event.text} {far}"
            self.paint()

        try:
            await self.follow(lambda client: client.adopt(order), show)
        finally:
            self.doing = ""
            self.renew_soon()

    async def _load(self, name: str) -> None:
        def show(event: Progress | Done) -> None:
            if isinstance(event, Progress) and event.total:
                self.known.loading[name] = event.done / event.total
                self.paint()

        self.known.loading[name] = 0.0
        self.paint()
        try:
            await self.follow(lambda client: client.load(name), show)
            self.app.notify(tr("{model} is in memory", model=name))
        finally:
            self.known.loading.pop(name, None)
            self.renew_soon()

    async def _turn(self, job: Job) -> None:
        turn = Client.resume_job if job.state == "paused" else Client.pause_job
        self.known.jobs[job.id] = await self.box.ask(lambda client: turn(client, job.id))
        self.paint()

    async def _cancel(self, entry: Entry, job: Job) -> None:
        question = tr("Give up {work} {model}?", work=work(job), model=entry.name)
        come = job.progress.done if job.kind == "pull" and job.progress.unit == "bytes" else 0
        lost = tr("What has come so far, {size}, is deleted.", size=size(come)) if come else tr("What it did is lost.")
        if await self.is_sure(question, lost, tr("Give it up")):
            self.known.jobs[job.id] = await self.box.ask(lambda client: client.cancel_job(job.id))
            self.paint()

    async def _delete(self, entry: Entry) -> None:
        name = entry.name
        question = tr("Delete {model}?", model=name)
        if entry.adapter is not None:
            freed = tr("{size} on the disk are freed at most.", size=size(entry.adapter.size_bytes))
            if await self.is_sure(question, freed, tr("Delete")):
                self.order(lambda client: client.remove_adapter(name), tr("{name} is deleted", name=name))
            return
        would = await self.box.ask(lambda client: client.remove(name, is_dry_run=True))
        lines = [what_is_left(would)]
        lines += [tr("It is in memory, and leaves it.")] if entry.live is not None else []
        lines += [tr("It is the default model of this box.")] if entry.model and entry.model.is_default else []
        if await self.is_sure(question, "\n".join(lines), tr("Delete")):
            self.order(lambda client: client.remove(name), tr("{name} is deleted", name=name))


def what_is_left(removed: Removed) -> str:
    """Return what deleting a model frees, and what stays."""
    if removed.kept_path is not None:
        return tr("Its file stays where it is: {path}", path=removed.kept_path)
    if removed.freed_bytes == 0:
        return tr("Only the name goes: another model is made of the same files.")
    return tr("{size} on the disk are freed.", size=size(removed.freed_bytes))

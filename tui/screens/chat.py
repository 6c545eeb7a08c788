"""A place to try models: one conversation, or the same with two models side by side, with timings below each answer."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from copy import deepcopy
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static
from textual.worker import Worker

from appliance.client import Client, ClientError
from appliance.core.admin import Status
from appliance.words import tr
from tui.dialogs.ask import Ask
from tui.dialogs.keep import Keep
from tui.dialogs.pick import Pick

from .chat_choices import model_choices, sampling_form, summary, text_dialog, with_sampling
from .chat_column import Column
from .chat_input import ChatInput
from .chat_pictures import read_picture
from .chat_store import Shelf
from .chat_talk import Conversation, Picture, Shape, Talk
from .place import Place


class ChatPlace(Place):
    """Asks one model or two, and keeps what was said until the person saves it or begins anew."""

    CSS_PATH = "chat.tcss"
    EXPLAINS = (
        "Try a model, or two side by side with the same question. While you write, all keys are letters: Esc leads "
        "from there to the keys below, i leads back. Nothing that is said is kept unless you save it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "Stop", tooltip="Stop the answer", priority=True),
        Binding("i", "write", "Write"),
        Binding("r", "again", "Again", tooltip="Let the last question be answered anew"),
        Binding("c", "copy", "Copy the last answer", show=False),
        Binding("m", "model", "Model"),
        Binding("b", "beside", "Beside", tooltip="Ask a second model beside the first, or only one again"),
        Binding("s", "sampling", "Sampling"),
        Binding("e", "edit", "Edit the last question", show=False),
        Binding("n", "new", "New conversation", show=False),
        Binding("w", "save", "Save the conversation", show=False),
        Binding("o", "open", "Open a saved conversation", show=False),
        Binding("E", "export", "Export as Markdown", show=False),
        Binding("y", "text('system')", "System prompt", show=False),
        Binding("f", "text('tools')", "Functions that the model may call", show=False),
        Binding("j", "text('schema')", "JSON schema of the answer", show=False),
        Binding("a", "attach", "Attach a picture", show=False),
        Binding("t", "thoughts", "Fold or unfold thoughts", show=False),
        Binding("v", "plain", "View answers as they were written", show=False),
    ]

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._shape = Shape()
        self._pictures: list[Picture] = []
        self._saved_as: str | None = None
        self._is_saved = True
        self._answers: dict[Column, Worker[Any]] = {}

    def body(self) -> Iterable[Any]:
        """Yield the talks above the line to write in."""
        with Horizontal(id="columns"):
            yield Column(Talk(self.host.remembered.chat_model))
        yield Static(id="shape", markup=False)
        yield ChatInput()

    def on_mount(self) -> None:
        """Let the person write."""
        self.query_one(ChatInput).focus()
        self._show_shape()

    def show_status(self, status: Status) -> None:
        """Show what the models do."""
        states = {model.name: model.state for model in status.models}
        for column in self._columns:
            name = column.talk.model or status.default_model
            column.show_model(name, states.get(name, "stopped"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what there is something for."""
        if action == "stop":
            return bool(self._answers)
        if action in ("again", "copy", "edit", "save", "export") and self.is_mounted:
            return any(column.talk.turns for column in self._columns)
        return True

    def on_chat_input_sent(self, sent: ChatInput.Sent) -> None:
        """Say it to every model that is shown."""
        if self._answers:
            self.query_one(ChatInput).text = sent.text
            self.app.notify(tr("the answer is still coming; Esc stops it"))
            return
        self._is_saved = False
        for column in self._columns:
            if column.talk.say(sent.text, self._pictures):
                self._ask(column)
            column.show_all()
        self._pictures = []
        self._show_shape()
        self.refresh_bindings()

    def action_stop(self) -> None:
        """Stop the answers, and keep what came of them."""
        for worker in self._answers.values():
            worker.cancel()

    def action_leave(self) -> None:
        """Go from writing to the keys."""
        self.query(VerticalScroll).first().focus()

    def action_write(self) -> None:
        """Go back to writing."""
        self.query_one(ChatInput).focus()

    def action_again(self) -> None:
        """Ask anew what was asked last."""
        if not self._answers:
            for column in self._columns:
                if column.talk.drop_answer():
                    self._ask(column, is_again=True)

    def action_edit(self) -> None:
        """Take the last question back into the line to write in."""
        if self._answers:
            return
        said = [column.talk.take_back() for column in self._columns]
        for column in self._columns:
            column.show_all()
        area = self.query_one(ChatInput)
        area.text = said[0] or ""
        area.move_cursor(area.document.end)
        area.focus()

    def action_copy(self) -> None:
        """Copy the last answer of the model that has the focus."""
        said = [turn.text for turn in self._chosen.talk.turns if turn.role == "assistant" and turn.text]
        if said:
            self.app.copy_to_clipboard(said[-1].strip())

    def action_model(self) -> None:
        """Choose who answers."""
        self.attempt(self._choose_model(self._chosen))

    def action_beside(self) -> None:
        """Put a second model beside the first, or take it away."""
        if self._answers:
            return
        if len(self._columns) > 1:
            self._columns[1].remove()
            self.action_leave()
        else:
            self.attempt(self._add_column())

    def action_sampling(self) -> None:
        """Choose how tokens are drawn."""
        self.attempt(self._choose_sampling())

    def action_text(self, name: str) -> None:
        """Write the system prompt, the tools or the schema."""
        self.attempt(self._write_text(name))

    def action_attach(self) -> None:
        """Show the model a picture with the next question."""
        self.attempt(self._attach_picture())

    def action_thoughts(self) -> None:
        """Fold or unfold what the models thought."""
        for column in self._columns:
            column.shows_thoughts = not column.shows_thoughts
            column.show_all()

    def action_plain(self) -> None:
        """Show answers as they were written, or as Markdown."""
        for column in self._columns:
            column.is_plain = not column.is_plain
            column.show_all()

    def action_new(self) -> None:
        """Begin anew."""
        self.attempt(self._begin(self._shape, [Talk(column.talk.model) for column in self._columns], None))

    def action_save(self) -> None:
        """Keep the conversation in a file."""
        with self._explaining():
            self._saved_as = self._shelf.save(self._conversation, self._saved_as)
            self._is_saved = True
            self.app.notify(tr("saved as {name}", name=self._saved_as))

    def action_export(self) -> None:
        """Write the conversation as Markdown."""
        with self._explaining():
            file = self._shelf.export(self._conversation, self._saved_as)
            self.app.notify(tr("written to {file}", file=file))

    def action_open(self) -> None:
        """Go on with a conversation that was saved."""
        self.attempt(self._open())

    @property
    def _columns(self) -> Sequence[Column]:
        return list(self.query(Column))

    @property
    def _chosen(self) -> Column:
        return next((column for column in self._columns if column.is_focused), self._columns[0])

    @property
    def _shelf(self) -> Shelf:
        return Shelf(self.host.folder / "chats")

    @property
    def _conversation(self) -> Conversation:
        return Conversation(self.host.now_s(), self._shape, [column.talk for column in self._columns])

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.app.notify(tr("it cannot be written: {problem}", problem=error), severity="error")

    def _ask(self, column: Column, *, is_again: bool = False) -> None:
        worker = self.run_worker(self._answer(column, is_again=is_again), group="answers")
        self._answers[column] = worker
        self.refresh_bindings()

    async def _answer(self, column: Column, *, is_again: bool) -> None:
        body = self._shape.body(column.talk) | ({"cache": {"mode": "off"}} if is_again else {})
        turn = column.begin(time.monotonic())
        turn.is_stopped = True  # until it has ended by itself
        try:
            async with aclosing(self.box.stream(lambda client: client.chat_parts(body))) as parts:
                async for part in parts:
                    column.take(part, time.monotonic())
            turn.is_stopped = False
        except ClientError as error:
            turn.is_stopped, turn.problem = False, str(error)
        finally:
            self._answers.pop(column, None)
            column.end(time.monotonic())
            self.refresh_bindings()

    async def _choose_model(self, column: Column) -> None:
        name = await self._picked_model(column.talk.model)
        if name is None:
            return
        column.talk.model = name
        if column is self._columns[0]:
            self.host.remember(chat_model=name)
        self._show_status_again()

    async def _picked_model(self, current: str | None) -> str | None:
        choices = model_choices(await self.box.ask(Client.models))
        if not choices:
            self.app.notify(tr("no model that chats is installed; install one in the place of the models"))
            return None
        return await self.host.ask_person(Pick(tr("Model"), choices, current=current))

    async def _add_column(self) -> None:
        name = await self._picked_model(None)
        if name is not None:
            talk = deepcopy(self._columns[0].talk)
            talk.model = name
            await self.query_one("#columns").mount(Column(talk, is_second=True))
            self._show_status_again()

    async def _choose_sampling(self) -> None:
        values = await self.host.ask_person(sampling_form(self._shape))
        if values is not None:
            self._shape = with_sampling(self._shape, values)
            self._show_shape()

    async def _write_text(self, name: str) -> None:
        text = await self.host.ask_person(text_dialog(self._shape, name))
        if text is not None:
            setattr(self._shape, name, text)
            self._show_shape()

    async def _attach_picture(self) -> None:
        explanation = tr("A file on the machine where you sit. The model must be one that sees.")
        typed = await self.host.ask_person(Ask(tr("Picture"), explanation, placeholder="~/picture.png"))
        if typed:
            try:
                self._pictures.append(await asyncio.to_thread(read_picture, typed))
            except ValueError as error:
                self.app.notify(str(error), severity="error")
            self._show_shape()
            self.query_one(ChatInput).focus()

    async def _begin(self, shape: Shape, talks: Sequence[Talk], saved_as: str | None) -> None:
        if not self._is_saved:
            consequence = tr("What was said here is not saved and will be gone. w saves it.")
            if not await self.is_sure(tr("Leave this conversation?"), consequence, tr("Leave it")):
                return
        for worker in self._answers.values():
            worker.cancel()
        self._shape, self._saved_as, self._is_saved = shape, saved_as, True
        await self.query(Column).remove()
        await self.query_one("#columns").mount(
            *(Column(talk, is_second=number > 0) for number, talk in enumerate(talks))
        )
        self._show_status_again()
        self._show_shape()
        self.query_one(ChatInput).focus()

    async def _open(self) -> None:
        while kept := list(self._shelf.names()):
            choices = [(name, f"{name[:10]}  {each.title}") for name, each in kept]
            wish = await self.host.ask_person(Keep(tr("Saved conversations"), choices))
            if wish is None:
                return
            kind, name = wish
            found = dict(kept)[name]
            if kind == "open":
                await self._begin(found.shape, found.talks, name)
                return
            if await self.is_sure(tr("Delete this conversation?"), found.title, tr("Delete it")):
                self._shelf.delete(name)
        self.app.notify(tr("no conversation is saved; w saves the one that is shown"))

    def _show_shape(self) -> None:
        shown = [f"▣ {picture.name}" for picture in self._pictures]
        self.query_one("#shape", Static).update(" · ".join([*shown, summary(self._shape)]))

    def _show_status_again(self) -> None:
        if self.box.status is not None:
            self.show_status(self.box.status)

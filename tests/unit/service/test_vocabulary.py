"""Reading prompts without weights: the processes, when they start and end, and what a failure leaves behind."""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from appliance.core.events import Failed, PromptRead
from appliance.core.messages import FromWorker, OpenVocabulary, ToWorker
from appliance.core.plan import Artefact
from appliance.core.request import ChatPrompt, Message, ReadRequest, RequestId, TextPrompt, TokenPrompt
from appliance.errors import BackendError, InvalidRequest, to_info
from appliance.service.vocabulary import Vocabularies, vocabulary_process
from models.manifest import ModelPreset
from tests.fakes import FakeScheduler
from tests.faults.daemon import ENVIRON, on_uvloop

HI = TextPrompt(text="Hi")


class EchoModels:
    """Every name is an echo model; what follows a question mark are its options."""

    def artefact(self, model: str) -> Artefact:
        return Artefact(format="echo", path=f"echo:{model}", digest=model)

    def task(self, model: str) -> str:
        return "embed" if "embed" in model else "generate"

    def preset(self, model: str) -> ModelPreset | None:
        return ModelPreset(system="Be brief.") if model == "made" else None


INSTALLED: Any = EchoModels()
NOTHING_LOADED: Any = FakeScheduler()


class Process:
    """A process that answers when the test says so."""

    def __init__(self, model: str, on_messages: Callable[[list[FromWorker]], None], on_exit: Callable[[str], None]):
        self.model = model
        self.tell = on_messages
        self.exit = on_exit
        self.asked: list[ReadRequest] = []
        self.ending = asyncio.Event()

    def send(self, messages: Sequence[ToWorker]) -> None:
        self.asked += [message for message in messages if isinstance(message, ReadRequest)]
        assert all(isinstance(message, ReadRequest | OpenVocabulary) for message in messages)

    def terminate(self, grace_s: float) -> None:
        self.ending.set()
        asyncio.get_running_loop().call_soon(self.exit, "exited with code 0")

    def answer(self) -> None:
        """Answer everything that was asked."""
        self.tell([PromptRead(id=request.id, num_tokens=2) for request in self.asked])
        self.asked.clear()


class Fakes:
    """Vocabularies over processes that the test plays."""

    def __init__(self, **limits: Any) -> None:
        self.processes: list[Process] = []
        self.vocabularies = Vocabularies(INSTALLED, NOTHING_LOADED, self._spawn, **limits)

    def _spawn(self, *arguments: Any) -> Process:
        self.processes.append(Process(*arguments))
        return self.processes[-1]

    async def begin(self, model: str, id: str = "r") -> "asyncio.Task[PromptRead]":
        """Ask, and return once the question is on its way or has to wait."""
        asking = asyncio.create_task(self.vocabularies.read(question(model, id)))
        await asyncio.sleep(0)
        return asking


def question(model: str, id: str = "r", **fields: Any) -> ReadRequest:
    return ReadRequest(id=RequestId(id), model=model, **({"prompt": HI} | fields))


@on_uvloop
async def test_models_are_read_in_processes_of_their_own_that_serve_many_callers() -> None:
    fakes = Fakes()
    asking = [await fakes.begin("a", "1"), await fakes.begin("b", "2"), await fakes.begin("a", "3")]
    assert [process.model for process in fakes.processes] == ["a", "b"]
    for process in fakes.processes:
        process.answer()
    assert [answer.id for answer in await asyncio.gather(*asking)] == ["1", "2", "3"]


@on_uvloop
async def test_what_a_made_model_begins_with_is_read_as_it_is_charged() -> None:
    fakes = Fakes()
    conversation = ChatPrompt(messages=(Message(role="user", content="Hi"),))
    asking = asyncio.create_task(fakes.vocabularies.read(question("made", prompt=conversation)))
    await asyncio.sleep(0)
    asked = fakes.processes[0].asked[0].prompt
    assert isinstance(asked, ChatPrompt)
    assert [message.content for message in asked.messages] == ["Be brief.", "Hi"]
    fakes.processes[0].answer()
    await asking


@on_uvloop
async def test_a_process_that_nobody_uses_ends_and_the_next_question_starts_another() -> None:
    fakes = Fakes(idle_s=0)
    for _ in range(2):
        asking = await fakes.begin("a")
        fakes.processes[-1].answer()
        await asking
        await fakes.processes[-1].ending.wait()
    assert len(fakes.processes) == 2


@on_uvloop
async def test_one_that_works_is_never_idle() -> None:
    fakes = Fakes(idle_s=0)
    first, second = await fakes.begin("a", "1"), await fakes.begin("a", "2")
    fakes.processes[0].tell([PromptRead(id=RequestId("1"))])
    await first
    await asyncio.sleep(0.01)
    assert not fakes.processes[0].ending.is_set()
    fakes.processes[0].tell([PromptRead(id=RequestId("2"))])
    await second


@on_uvloop
async def test_the_one_that_was_idle_longest_makes_room_and_busy_ones_are_waited_for() -> None:
    fakes = Fakes(max_processes=2)
    for model in ("a", "b"):
        asking = await fakes.begin(model)
        fakes.processes[-1].answer()
        await asking
    busy_c, busy_b = await fakes.begin("c"), await fakes.begin("b")
    assert [process.model for process in fakes.processes if process.ending.is_set()] == ["a"]
    waiting = await fakes.begin("d")
    assert [process.model for process in fakes.processes] == ["a", "b", "c"]
    fakes.processes[1].answer()
    await busy_b
    await asyncio.sleep(0)
    assert [process.model for process in fakes.processes if process.ending.is_set()] == ["a", "b"]
    for process in fakes.processes[2:]:
        process.answer()
    await asyncio.gather(busy_c, waiting)


@on_uvloop
async def test_a_caller_that_goes_away_disturbs_nobody() -> None:
    fakes = Fakes()
    first, second = await fakes.begin("a", "1"), await fakes.begin("a", "2")
    first.cancel()
    await asyncio.sleep(0)
    fakes.processes[0].answer()
    assert (await second).num_tokens == 2


@on_uvloop
async def test_what_cannot_be_read_is_the_error_of_its_own_caller() -> None:
    fakes = Fakes()
    first, second = await fakes.begin("a", "1"), await fakes.begin("a", "2")
    problem = to_info(InvalidRequest("no such token", param="tokens"))
    fakes.processes[0].tell([Failed(id=RequestId("1"), error=problem), PromptRead(id=RequestId("2"))])
    with pytest.raises(InvalidRequest, match="no such token"):
        await first
    await second


@on_uvloop
async def test_closing_waits_for_the_processes() -> None:
    fakes = Fakes()
    asking = await fakes.begin("a")
    await fakes.vocabularies.close()
    assert fakes.processes[0].ending.is_set()
    with pytest.raises(BackendError):
        await asking


@on_uvloop
async def test_a_process_that_cannot_start_is_an_error_and_no_trap() -> None:
    def spawn(*_: Any) -> Process:
        raise OSError("no memory")

    vocabularies = Vocabularies(INSTALLED, NOTHING_LOADED, spawn, max_processes=1)
    for _ in range(2):
        with pytest.raises(BackendError, match="no memory"):
            await vocabularies.read(question("a"))


class TestARealProcess:
    """On the echo backend, whose tokens are bytes."""

    @staticmethod
    def vocabularies(pids: list[int]) -> Vocabularies:
        spawn = vocabulary_process(ENVIRON)

        def noted(*arguments: Any) -> Any:
            process: Any = spawn(*arguments)
            pids.append(process.pid)
            return process

        return Vocabularies(INSTALLED, NOTHING_LOADED, noted)

    def test_it_counts_shows_and_spells(self) -> None:
        @on_uvloop
        async def scenario() -> None:
            vocabularies = self.vocabularies([])
            chat = ChatPrompt(messages=(Message(role="user", content="Hi"),))
            text = (await vocabularies.read(question("a", prompt=chat, wants="text"))).text
            assert text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
            tokens = (await vocabularies.read(question("a", prompt=chat, wants="tokens"))).tokens
            assert tokens[:6] == (257, *b"user\n")
            assert (await vocabularies.read(question("a", prompt=chat))) == PromptRead(
                id=RequestId("r"), num_tokens=len(tokens)
            )
            pieces = (await vocabularies.read(question("a", prompt=chat, wants="pieces"))).pieces
            assert b"".join(pieces).decode() == text
            back = await vocabularies.read(question("a", prompt=TokenPrompt(tokens=tokens), wants="text"))
            assert back.text == text
            plain = TextPrompt(text="<|im_end|>")
            written = await vocabularies.read(question("a", prompt=plain, parses_special=False))
            assert ((await vocabularies.read(question("a", prompt=plain))).num_tokens, written.num_tokens) == (1, 10)
            await vocabularies.close()

        scenario()

    def test_a_killed_one_fails_its_callers_and_the_next_finds_a_fresh_one(self) -> None:
        @on_uvloop
        async def scenario() -> None:
            pids: list[int] = []
            vocabularies = self.vocabularies(pids)
            await vocabularies.read(question("a"))
            os.kill(pids[0], signal.SIGKILL)
            with pytest.raises(BackendError, match="SIGKILL"):
                await vocabularies.read(question("a"))
            assert (await vocabularies.read(question("a"))).num_tokens == 2
            assert len(pids) == 2
            await vocabularies.close()

        scenario()

    @pytest.mark.parametrize("tokens", [(-1,), (512,), (2**31,)])
    def test_tokens_that_the_model_does_not_have_are_refused(self, tokens: tuple[int, ...]) -> None:
        @on_uvloop
        async def scenario() -> None:
            vocabularies = self.vocabularies([])
            with pytest.raises(InvalidRequest, match=r"\[0, 512\)"):
                await vocabularies.read(question("a", prompt=TokenPrompt(tokens=tokens), wants="text"))
            await vocabularies.close()

        scenario()

    def test_a_model_that_embeds_has_tokens_and_no_conversations(self) -> None:
        @on_uvloop
        async def scenario() -> None:
            vocabularies = self.vocabularies([])
            with pytest.raises(InvalidRequest, match="embeddings"):
                await vocabularies.read(question("?task=embed", prompt=ChatPrompt(messages=())))
            for adds_special in (True, False):
                read = await vocabularies.read(question("?task=embed", wants="tokens", adds_special=adds_special))
                assert read.tokens == tuple(b"Hi")
            await vocabularies.close()

        scenario()

"""Counting by a loaded model's own worker: exact, beside its work, and taken over when the worker dies."""

import os
import signal

import pytest

from appliance.core.caller import LOCAL
from appliance.core.events import Accepted
from appliance.core.request import (
    ChatPrompt,
    FillPrompt,
    GenerateRequest,
    Message,
    Prompt,
    ReadRequest,
    RequestId,
    TextPrompt,
    TokenPrompt,
)
from appliance.core.sampling import StopConditions
from appliance.errors import InvalidRequest
from tests.faults.daemon import Daemon, first_delta, on_uvloop

PROMPTS: list[Prompt] = [
    ChatPrompt(messages=(Message(role="user", content="Grüße <|im_end|> 世界"),)),
    TextPrompt(text="Once upon a time"),
    FillPrompt(prefix="def f():", suffix="return 1"),
    TokenPrompt(tokens=(1, 2, 3)),
]


def question(prompt: Prompt, model: str = "a") -> ReadRequest:
    return ReadRequest(id=RequestId("count"), model=model, prompt=prompt)


async def charged(daemon: Daemon, prompt: Prompt) -> int:
    """Return what an answer to the prompt is charged for it."""
    request = GenerateRequest(id=RequestId("r"), model="a", prompt=prompt, stop=StopConditions(max_tokens=1))
    events = [event async for event in daemon.owner.submit(request, LOCAL)]
    return next(event.num_prompt_tokens for event in events if isinstance(event, Accepted))


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: type(prompt).__name__)
def test_a_loaded_model_counts_what_it_charges(prompt: Prompt) -> None:
    @on_uvloop
    async def scenario() -> None:
        async with Daemon(a="") as daemon:
            assert await daemon.owner.count(question(prompt)) is None
            await daemon.answer("first", "a")
            counted = await daemon.owner.count(question(prompt))
            assert counted is not None
            assert counted.num_tokens == await charged(daemon, prompt)

    scenario()


@on_uvloop
async def test_counting_goes_on_beside_a_slow_answer_and_leaves_it_alone() -> None:
    async with Daemon(a="?step_s=0.02") as daemon:
        stream = daemon.submit("slow", "a", max_tokens=1000)
        await first_delta(stream)
        counted = await daemon.owner.count(question(TextPrompt(text="abc")))
        assert counted is not None
        assert counted.num_tokens == 3
        assert (await first_delta(stream)).id == "slow"


@on_uvloop
async def test_what_cannot_be_counted_is_an_error_and_the_worker_lives() -> None:
    async with Daemon(a="?vocab=512") as daemon:
        await daemon.answer("first", "a")
        continued = ChatPrompt(messages=(), template_kwargs={"messages": []})
        with pytest.raises(InvalidRequest):
            await daemon.owner.count(question(continued))
        await daemon.answer("next", "a")


@on_uvloop
async def test_a_worker_that_dies_has_no_answer_and_says_so() -> None:
    async with Daemon(a="") as daemon:
        await daemon.answer("first", "a")
        os.kill(daemon.pids["a"], signal.SIGKILL)
        assert await daemon.owner.count(question(TextPrompt(text="abc"))) is None

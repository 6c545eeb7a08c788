"""A real worker that pauses work for others goes on with it as if nothing had been."""

import asyncio
from itertools import pairwise

from appliance.core.caller import LOCAL, Caller
from appliance.core.events import Delta, RequestPaused, SystemEvent
from appliance.core.request import GenerateRequest, Priority, RequestId, TextPrompt
from appliance.core.sampling import SamplingParams, StopConditions
from appliance.scheduler.stream import RequestStream
from tests.faults.daemon import Daemon, on_uvloop

NUM_PLACES = 10
BERT = Caller(id="bert", source="key", scope="use")


class Watched(Daemon):
    """A daemon that remembers who was paused."""

    def __init__(self, **models: str) -> None:
        super().__init__(**models)
        self.pauses: list[tuple[str, bool]] = []

    def _publish(self, event: SystemEvent) -> None:
        super()._publish(event)
        if isinstance(event, RequestPaused):
            self.pauses.append((event.id, event.is_paused))

    def ask(self, id_: str, caller: Caller = LOCAL, priority: Priority = "batch") -> RequestStream:
        request = GenerateRequest(
            id=RequestId(id_),
            model="a",
            prompt=TextPrompt(text=f"one fish two fish {id_[-1]}"),
            sampling=SamplingParams(temperature=0.0),
            stop=StopConditions(max_tokens=1000 if priority == "batch" else 4, ignore_eos=True),
            priority=priority,
        )
        return self.owner.submit(request, caller)


async def text_of(stream: RequestStream) -> str:
    return "".join([event.text async for event in stream if isinstance(event, Delta)])


@on_uvloop
async def test_batch_work_that_was_paused_for_others_says_what_it_would_have_said() -> None:
    async with Watched(a="?step_s=0.005") as daemon:
        undisturbed = await asyncio.gather(*(text_of(daemon.ask(f"first{number}")) for number in range(NUM_PLACES)))
        streams = [daemon.ask(f"batch{number}") for number in range(NUM_PLACES)]
        answers = [asyncio.ensure_future(text_of(stream)) for stream in streams]
        for number in range(3):
            assert await text_of(daemon.ask(f"now{number}", priority="interactive"))
        await text_of(daemon.ask("beside", caller=BERT, priority="normal"))
        assert not any(answer.done() for answer in answers)
        assert await asyncio.gather(*answers) == undisturbed
        assert len(daemon.pauses) == 2 * 4
        assert all(before != after for before, after in pairwise(is_paused for _, is_paused in daemon.pauses))

"""The daemon's own first question: one token from the default model, so that `/ready` is the truth."""

import asyncio

from appliance.core.caller import LOCAL
from appliance.core.request import GenerateRequest, RequestId, TextPrompt
from appliance.core.sampling import SamplingParams, StopConditions
from appliance.errors import ApplianceError, Draining
from appliance.service.generate import Generation

from .ready import Readiness

_RETRY_S = 30.0


async def warm_up(generation: Generation, default_model: str, readiness: Readiness) -> None:
    """Ask until the model answers, or until somebody else got an answer. A model that fails is asked again later."""
    attempt = 0
    while readiness.reason is not None:
        attempt += 1
        try:
            async for _ in generation.generate([_question(default_model, attempt)], LOCAL):
                pass
        except Draining:
            return
        except ApplianceError as error:
            readiness.fail(error.message)
            await asyncio.sleep(error.retry_after_s or _RETRY_S)


def _question(model: str, attempt: int) -> GenerateRequest:
    return GenerateRequest(
        id=RequestId(f"warm-up-{attempt}"),
        model=model,
        prompt=TextPrompt(text="Hello"),
        sampling=SamplingParams(temperature=0.0),
        stop=StopConditions(max_tokens=1),
        cache_prompt=False,
    )

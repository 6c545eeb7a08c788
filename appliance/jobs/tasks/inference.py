"""One question answered: what `/v1/inference` gives at once, and a task later."""

import math

import msgspec

from appliance.core.caller import Caller
from appliance.core.events import Finished
from appliance.core.request import GenerateRequest
from appliance.core.tasks import Prediction, TaskAnswer
from appliance.dialects.answer import Answer, Choice
from appliance.service.generate import Generation


async def answer(generation: Generation, request: GenerateRequest, caller: Caller) -> TaskAnswer:
    """Return the answer. Raises: ApplianceError."""
    measured = msgspec.structs.replace(request, logprobs=0)
    events = (await generation.answer([measured], caller)).events
    gathered = Answer(request.num_choices)
    try:
        async for event in events:
            gathered.add(event)
    finally:
        events.cancel()
    predictions = tuple(map(_prediction, gathered.choices))
    return TaskAnswer(
        predictions=predictions,
        confidence=predictions[0].confidence,
        prompt_tokens=gathered.usage.prompt_tokens,
        completion_tokens=gathered.usage.completion_tokens,
    )


def confidence_of(finished: Finished) -> float | None:
    """Return the geometric mean of the probabilities of all tokens, None without any."""
    num_tokens = finished.usage.completion_tokens
    if finished.sum_logprob is None or not num_tokens:
        return None
    return math.exp(finished.sum_logprob / num_tokens)


def _prediction(choice: Choice) -> Prediction:
    assert choice.finished is not None, "all choices have ended"
    return Prediction(text=choice.text, finish_reason=choice.reason, confidence=confidence_of(choice.finished))

"""The daemon's own first question to the default model: a token or a vector, so that `/ready` is the truth."""

import asyncio
import io
import wave

from appliance.core.caller import LOCAL
from appliance.core.request import EncodeRequest, GenerateRequest, RequestId, TextPair, TextPrompt, TranscribeRequest
from appliance.core.sampling import SamplingParams, StopConditions
from appliance.core.traits import ModelTask
from appliance.errors import ApplianceError, Draining
from appliance.service.events import EventStream
from appliance.service.generate import Generation

from .ready import Readiness

_RETRY_S = 30.0
_SILENCE_S = 1.0
_SAMPLE_RATE, _SAMPLE_BYTES = 16_000, 2


async def warm_up(generation: Generation, default_model: str, task: ModelTask, readiness: Readiness) -> None:
    """Ask until the model answers, or until somebody else got an answer. A model that fails is asked again later."""
    attempt = 0
    while readiness.reason is not None:
        attempt += 1
        try:
            async for _ in _ask(generation, default_model, task, RequestId(f"warm-up-{attempt}")):
                pass
        except Draining:
            return
        except ApplianceError as error:
            readiness.fail(error.message)
            await asyncio.sleep(error.retry_after_s or _RETRY_S)


def _ask(generation: Generation, model: str, task: ModelTask, id: RequestId) -> EventStream:
    hello = TextPrompt(text="Hello")
    if task == "embed":
        return generation.encode(EncodeRequest(id=id, model=model, task=task, inputs=(hello,)), LOCAL)
    if task == "score":
        pair = TextPair(first="Hello", second="Hello")
        return generation.encode(EncodeRequest(id=id, model=model, task=task, inputs=(pair,)), LOCAL)
    if task == "transcribe":
        return generation.transcribe(
            TranscribeRequest(id=id, model=model, audio=_silence(), max_audio_s=_SILENCE_S), LOCAL
        )
    question = GenerateRequest(
        id=id,
        model=model,
        prompt=hello,
        sampling=SamplingParams(temperature=0.0),
        stop=StopConditions(max_tokens=1),
        cache_prompt=False,
    )
    return generation.generate(question, LOCAL)


def _silence() -> bytes:
    """Return a recording in which nobody says anything, as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(_SAMPLE_BYTES)
        recording.setframerate(_SAMPLE_RATE)
        recording.writeframes(bytes(int(_SILENCE_S * _SAMPLE_RATE) * _SAMPLE_BYTES))
    return file.getvalue()

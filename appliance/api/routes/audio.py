"""`/v1/audio`: recordings into text."""

from typing import Any

from litestar import post
from litestar.di import NamedDependency
from litestar.types import ASGIApp

from appliance.api.access import refine
from appliance.api.errors import HttpRequest
from appliance.api.multipart_form import MultipartForm
from appliance.api.operation import Operation
from appliance.api.reply import OPENAI, gather, written
from appliance.api.respond import bytes_reply, caller_of
from appliance.api.sse import StreamResponse, StreamTiming, unless_gone
from appliance.dialects.openai.transcription import (
    HOSTED_NAMES,
    Task,
    TranscriptionForm,
    form_of,
    transcription_to_core,
)
from appliance.dialects.openai.transcription_reply import (
    Transcript,
    TranscriptDelta,
    TranscriptDone,
    TranscriptionWire,
    TranscriptStream,
    VerboseTranscriptionWire,
)
from appliance.dialects.openai.transcription_reply import written as transcript_written
from appliance.errors import BodyTooLarge
from appliance.service.generate import Generation
from appliance.service.installed import Installed
from appliance.settings import ServerSettings

from .inference import new_id

_OPERATION: dict[str, Any] = {
    "takes": TranscriptionForm,
    "takes_type": "multipart/form-data",
    "gives": (TranscriptionWire, VerboseTranscriptionWire),
    "streams": (TranscriptDelta, TranscriptDone),
}


@post("/v1/audio/transcriptions", status_code=200, operation=Operation(**_OPERATION))
async def create_transcription(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    generation: NamedDependency[Generation],
    timing: NamedDependency[StreamTiming],
) -> ASGIApp:
    """Answer with what is said in a recording, in its own language."""
    return await _answer(request, "transcribe", server, installed, generation, timing)


@post("/v1/audio/translations", status_code=200, operation=Operation(**_OPERATION))
async def create_translation(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    generation: NamedDependency[Generation],
    timing: NamedDependency[StreamTiming],
) -> ASGIApp:
    """Answer with what is said in a recording, in English."""
    return await _answer(request, "translate", server, installed, generation, timing)


async def _answer(
    request: HttpRequest,
    task: Task,
    server: ServerSettings,
    installed: Installed,
    generation: Generation,
    timing: StreamTiming,
) -> ASGIApp:
    installed.check_listeners()  # who has no such model is told so before a recording is sent
    multipart = MultipartForm(request)
    audio = await _read(multipart, server.max_audio_bytes)
    form = form_of(multipart.values)
    model = installed.listener(form.model, HOSTED_NAMES)
    core = transcription_to_core(form, audio, new_id(), model, task, server.max_audio_s)
    events = generation.transcribe(core, refine(caller_of(request), form.user))
    if form.stream:
        return StreamResponse(
            written(events, TranscriptStream()),
            OPENAI.error,
            timing,
            silence=lambda: OPENAI.silence(events.queue_place),
        )
    transcript = Transcript()
    await unless_gone(request.receive, gather(events, transcript))
    return bytes_reply(*transcript_written(transcript, form.response_format, task))


async def _read(multipart: MultipartForm, max_bytes: int) -> bytes:
    data = bytearray()
    async for piece in multipart.file("file"):
        data += piece
        if len(data) > max_bytes:
            raise BodyTooLarge(
                f"the recording is longer than {max_bytes} bytes, which is server.max_audio_bytes", param="file"
            )
    return bytes(data)

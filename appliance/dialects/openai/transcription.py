"""`POST /v1/audio/transcriptions` and `/v1/audio/translations`: a form with a recording in, a request out.

Source: OpenAI's API reference, "Create transcription" and "Create translation".
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from appliance.core.request import Priority, RequestId, TranscribeRequest
from appliance.dialects.decode import convert_json
from appliance.errors import InvalidRequest

from .languages import code_of

ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]
Task = Literal["transcribe", "translate"]
HOSTED_NAMES = frozenset({"whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"})
"""What clients ask for that know OpenAI's own models only: whichever model is here is meant."""

_LISTS = ("timestamp_granularities[]", "include[]")


class TranscriptionForm(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of the form. `file` is read beside them."""

    file: Annotated[str, Meta(description="A recording.", extra_json_schema={"format": "binary"})] = ""
    model: str | None = None
    language: Annotated[str, Meta(max_length=40)] | None = None
    prompt: str = ""
    response_format: ResponseFormat = "json"
    temperature: Annotated[float, Meta(ge=0, le=1)] = 0.0
    granularities: list[Literal["segment", "word"]] = msgspec.field(default=[], name="timestamp_granularities[]")
    include: list[str] = msgspec.field(default=[], name="include[]")
    stream: bool = False
    user: Annotated[str, Meta(max_length=256)] | None = None
    priority: Priority | None = None
    deadline_s: Annotated[float, Meta(gt=0)] | None = None


def form_of(fields: Mapping[str, Sequence[str]]) -> TranscriptionForm:
    """Return the form whose fields have these values. Raises: InvalidRequest, with the field."""
    values: dict[str, object] = {name: given[-1] for name, given in fields.items() if given and given[-1] != ""}
    values |= {name: list(fields[name]) for name in _LISTS if name in fields}
    form: TranscriptionForm = convert_json(values, TranscriptionForm, "", strict=False)
    if "word" in form.granularities:
        raise InvalidRequest(
            "'word' among the 'timestamp_granularities' is not offered: the models here tell when segments begin and "
            "end; ask for 'segment'",
            param="timestamp_granularities",
        )
    if form.include:
        raise InvalidRequest(f"'include' asks for {form.include[0][:40]!r}, which is not offered", param="include")
    if form.stream and form.response_format not in ("json", "text"):
        raise InvalidRequest(
            f"a stream has no 'response_format' {form.response_format!r}; it is text as it comes",
            param="response_format",
        )
    return form


def transcription_to_core(
    form: TranscriptionForm, audio: bytes, id: RequestId, model: str, task: Task, max_audio_s: float
) -> TranscribeRequest:
    """Return the request for the engine. What is translated is heard in whichever language it is."""
    return TranscribeRequest(
        id=id,
        model=model,
        audio=audio,
        task=task,
        language=None if form.language is None else code_of(form.language),
        prompt=form.prompt,
        temperature=form.temperature,
        max_audio_s=max_audio_s,
        priority=form.priority or "normal",
        deadline_s=form.deadline_s,
    )

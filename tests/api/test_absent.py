"""What nothing here can do is refused once, clearly, and in OpenAI's words."""

import io
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openai import InternalServerError, OpenAI

from tests.api.conftest import Daemon

SPEECH_PATHS = ("/v1/audio/transcriptions", "/v1/audio/translations")
PATHS = (*SPEECH_PATHS, "/v1/audio/speech", "/v1/images/generations", "/v1/images/edits")


def sound() -> tuple[str, io.BytesIO]:
    return "speech.wav", io.BytesIO(bytes(4_000_000))


CALLS: dict[str, Callable[[OpenAI], Any]] = {
    "speak": lambda openai: openai.audio.speech.create(model="tts-1", voice="alloy", input="Good morning."),
    "draw": lambda openai: openai.images.generate(model="dall-e-3", prompt="A lighthouse."),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_openais_library_is_told_what_is_missing_and_how_it_can_be_had(
    openai: OpenAI, call: Callable[[OpenAI], Any]
) -> None:
    with pytest.raises(InternalServerError) as caught:
        call(openai)
    error = caught.value
    assert (error.status_code, error.code, error.type) == (501, "not_implemented", "server_error")
    assert "no model of this version can" in error.message and "beside this one" in error.message


def test_who_has_no_model_of_speech_is_told_how_to_get_one(openai: OpenAI) -> None:
    with pytest.raises(InternalServerError) as caught:
        openai.audio.transcriptions.create(model="whisper-1", file=sound())
    assert (caught.value.status_code, caught.value.code) == (501, "not_implemented")
    assert "get one with: appliance pull whisper-base" in caught.value.message


@pytest.mark.parametrize("path", PATHS)
def test_nobody_is_told_to_ask_again(http: httpx.Client, path: str) -> None:
    answer = http.post(path, json={})
    assert answer.status_code == 501
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
def test_who_has_no_key_learns_nothing(http: httpx.Client, daemon: Daemon, path: str) -> None:
    daemon.do(lambda: daemon.parts.keys.create("somebody", "use"))
    assert http.post(path, json={}).status_code == 401

"""A Whisper model is a model like any other: taken in, asked by OpenAI's own library, streamed, refused clearly."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from appliance.core.admin import Done, InstalledModel
from tests.conftest import RealDaemon, running_daemon
from tests.tiny_whisper import Whisper, speech_like, wav, write_whisper

SHORT, LONG = wav(speech_like(4.0)), wav(speech_like(65.0, seed=1))
MAX_AUDIO_BYTES = 3_000_000


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    folder = tmp_path_factory.mktemp("models") / "tiny-whisper"
    write_whisper(folder, Whisper(seed=1))
    limits = {"APPLIANCE_SERVER__MAX_AUDIO_BYTES": str(MAX_AUDIO_BYTES), "APPLIANCE_SERVER__MAX_AUDIO_S": "70"}
    with running_daemon(tmp_path_factory.mktemp("speech") / "home", **limits) as daemon:
        *_, last = daemon.client.add_model(str(folder), copy=True)
        assert isinstance(last, Done)
        yield daemon


@pytest.fixture
def api(box: RealDaemon) -> Iterator[OpenAI]:
    key = (box.home / "run" / "local.key").read_text()
    transport = httpx.Client(trust_env=False)
    with OpenAI(base_url=f"{box.url}/v1", api_key=key, max_retries=0, timeout=60, http_client=transport) as client:
        yield client


@pytest.fixture
def http(box: RealDaemon) -> Iterator[httpx.Client]:
    key = (box.home / "run" / "local.key").read_text()
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=box.url, headers=headers, trust_env=False, timeout=60) as client:
        yield client


def transcribe(api: OpenAI, sound: bytes = SHORT, *, model: str = "whisper-1", **fields: Any) -> Any:
    return api.audio.transcriptions.create(model=model, file=("speech.wav", sound), **fields)


def test_its_view_tells_what_it_can(box: RealDaemon, http: httpx.Client) -> None:
    model: InstalledModel = box.client.model("tiny-whisper")
    assert (model.format, model.architecture, model.capabilities) == ("onnx", "whisper", ("transcription",))
    assert model.estimated_bytes is not None and model.backend == "onnx"
    shown = http.post("/api/show", json={"model": "tiny-whisper"}).json()
    assert shown["capabilities"] == ["transcription"]
    explained = http.get("/admin/v1/explain/tiny-whisper").json()
    assert explained["task"] == "transcribe" and explained["problem"] is None
    listed = {each["id"]: each for each in http.get("/v1/models").json()["data"]}
    assert listed["tiny-whisper"]["capabilities"] == ["transcription"]


def test_a_recording_becomes_text_whichever_name_the_client_knows(api: OpenAI) -> None:
    answers = [transcribe(api, model=name, language="en") for name in ("whisper-1", "tiny-whisper", "")]
    assert answers[0].text
    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[0].usage is not None and answers[0].usage.seconds == 4


def test_the_whole_answer_has_segments_in_their_order(api: OpenAI) -> None:
    answer = transcribe(api, LONG, response_format="verbose_json", timestamp_granularities=["segment"])
    assert (answer.duration, answer.language, answer.task) == (65.0, "chinese", "transcribe")
    assert answer.segments is not None and len({each.seek for each in answer.segments}) > 1
    assert [each.id for each in answer.segments] == list(range(len(answer.segments)))
    starts = [each.start for each in answer.segments]
    assert starts == sorted(starts) and all(each.start <= each.end <= 65 for each in answer.segments)
    assert "".join(each.text for each in answer.segments).strip() == answer.text


def test_subtitles_and_plain_text_are_files_of_their_kind(api: OpenAI) -> None:
    plain, srt, vtt = (transcribe(api, language="en", response_format=form) for form in ("text", "srt", "vtt"))
    assert plain.strip() == transcribe(api, language="en").text
    assert srt.startswith("1\n00:00:00,") and " --> " in srt
    assert vtt.startswith("WEBVTT\n\n00:00:00.")


def test_a_stream_says_what_the_whole_answer_says(api: OpenAI) -> None:
    events = list(transcribe(api, LONG, stream=True))
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert len(deltas) > 1
    assert events[-1].type == "transcript.text.done"
    assert "".join(deltas) == events[-1].text == transcribe(api, LONG).text


def test_what_is_said_can_be_put_into_english(http: httpx.Client) -> None:
    """Asked without the library, which warns of this route."""
    form = {"response_format": "verbose_json"}
    answer = http.post("/v1/audio/translations", data=form, files={"file": ("speech.wav", SHORT)})
    assert (answer.status_code, answer.json()["language"], answer.json()["task"]) == (200, "english", "translate")


def test_a_prompt_and_a_language_change_what_is_read(api: OpenAI) -> None:
    texts = [
        transcribe(api, language="de").text,
        transcribe(api, language="german").text,
        transcribe(api, language="en").text,
        transcribe(api, language="de", prompt="Guten Morgen").text,
    ]
    assert texts[0] == texts[1]
    assert len(set(texts)) == 3


def test_callers_are_answered_at_once_as_if_alone(api: OpenAI) -> None:
    alone = [transcribe(api, sound).text for sound in (LONG, SHORT)]
    with ThreadPoolExecutor(6) as callers:
        together = list(callers.map(lambda sound: transcribe(api, sound).text, [LONG, SHORT] * 3))
    assert together == alone * 3


@pytest.mark.parametrize(
    ("sound", "fields", "said"),
    [
        (b"no sound at all" * 50, {}, "no recording that can be read"),
        (b"", {}, "the file is empty"),
        (wav(speech_like(80.0)), {}, "longer than 70 s, which is server.max_audio_s"),
        (SHORT, {"language": "fr"}, "does not know the language 'fr'; it knows de, en, zh"),
        (SHORT, {"timestamp_granularities": ["word"]}, "'word' among the 'timestamp_granularities' is not offered"),
        (SHORT, {"response_format": "srt", "stream": True}, "a stream has no 'response_format' 'srt'"),
        (SHORT, {"response_format": "diarized_json"}, "invalid value for 'response_format'"),
        (SHORT, {"temperature": 3}, "invalid value for 'temperature'"),
        (SHORT, {"model": "guide"}, "generates text; use POST /v1/chat/completions"),
    ],
)
def test_what_cannot_be_done_is_said(api: OpenAI, sound: bytes, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        transcribe(api, sound, **fields)
    assert said in caught.value.message


def test_a_recording_that_is_too_large_is_refused_while_it_comes(api: OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match=r"server\.max_audio_bytes") as caught:
        transcribe(api, bytes(MAX_AUDIO_BYTES + 1))
    assert caught.value.status_code == 413


def test_it_is_asked_for_no_chat_and_never_measured(api: OpenAI, http: httpx.Client) -> None:
    with pytest.raises(openai.BadRequestError, match="turns speech into text; use POST /v1/audio/transcriptions"):
        api.chat.completions.create(model="tiny-whisper", messages=[{"role": "user", "content": "Hello"}])
    answer = http.post("/admin/v1/models/calibrate", json={"model": "tiny-whisper"})
    assert answer.status_code == 400 and "turns speech into text" in answer.json()["error"]["message"]


def test_a_folder_that_lacks_its_encoder_is_not_taken_in(box: RealDaemon, tmp_path: Path) -> None:
    graph = write_whisper(tmp_path / "half", Whisper())
    (graph.parent / "encoder_model.onnx").unlink()
    with pytest.raises(Exception, match=r"no whole Whisper model: an encoder_model\.onnx is needed"):
        list(box.client.add_model(str(tmp_path / "half")))

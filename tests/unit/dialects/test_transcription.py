"""Forms with recordings in, what was said out: as OpenAI's clients write and read it."""

import msgspec
import pytest

from appliance.core.events import Finished, Segment, Timings, Transcribed, Usage
from appliance.core.request import RequestId
from appliance.dialects.openai.languages import code_of, name_of
from appliance.dialects.openai.transcription import form_of, transcription_to_core
from appliance.dialects.openai.transcription_reply import Transcript, TranscriptStream, written
from appliance.errors import InvalidRequest

ID = RequestId("r")


def segment(start_s: float, end_s: float, text: str) -> Segment:
    return Segment(
        start_s=start_s,
        end_s=end_s,
        text=text,
        tokens=(1, 2),
        temperature=0.0,
        mean_logprob=-0.25,
        compression_ratio=1.5,
        no_speech_ratio=0.01,
        seek=0,
    )


def event(*segments: Segment) -> Transcribed:
    return Transcribed(id=ID, language="de", heard_s=30.0, duration_s=3725.5, segments=segments)


END = Finished(
    id=ID,
    choice=0,
    reason="stop",
    usage=Usage(prompt_tokens=1, cached_tokens=0, completion_tokens=1),
    timings=Timings(queue_s=0.0, prefill_s=0.0, decode_s=0.0),
    mean_token_probability=None,
)
EVENTS = (event(segment(0.0, 1.5, " Guten Morgen,")), event(), event(segment(3600.0, 3725.48, " a --> b.\n")), END)


def said(form: str) -> str:
    transcript = Transcript()
    for each in EVENTS:
        transcript.add(each)
    return written(transcript, form, "transcribe")[0].decode()  # type: ignore[arg-type]  # one of the five


def test_text_is_what_the_segments_say() -> None:
    assert said("text") == "Guten Morgen, a --> b.\n"
    assert msgspec.json.decode(said("json")) == {
        "text": "Guten Morgen, a --> b.",
        "usage": {"type": "duration", "seconds": 3725.5},
    }


def test_subtitles_have_moments_of_their_kind_and_no_arrow_in_a_text() -> None:
    assert said("srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nGuten Morgen,\n\n2\n01:00:00,000 --> 01:02:05,480\na -> b.\n"
    )
    assert said("vtt") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nGuten Morgen,\n\n01:00:00.000 --> 01:02:05.480\na -> b.\n"
    )


def test_the_whole_answer_names_the_language_and_numbers_the_segments() -> None:
    answer = msgspec.json.decode(said("verbose_json"))
    assert (answer["task"], answer["language"], answer["duration"]) == ("transcribe", "german", 3725.5)
    assert [each["id"] for each in answer["segments"]] == [0, 1]
    assert answer["segments"][0] == {
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": 1.5,
        "text": " Guten Morgen,",
        "tokens": [1, 2],
        "temperature": 0.0,
        "avg_logprob": -0.25,
        "compression_ratio": 1.5,
        "no_speech_prob": 0.01,
    }


def test_a_stream_adds_up_to_the_text_and_ends_with_all_of_it() -> None:
    stream = TranscriptStream()
    data = b"".join([*(stream.add(each) for each in EVENTS), stream.end()]).decode()
    events = [msgspec.json.decode(line.removeprefix("data: ")) for line in data.split("\n\n") if line]
    assert [each["type"] for each in events] == [
        "transcript.text.delta",
        "transcript.text.delta",
        "transcript.text.done",
    ]
    assert "".join(each["delta"] for each in events[:2]) == events[2]["text"] == "Guten Morgen, a --> b."


def test_fields_are_text_and_mean_what_they_say() -> None:
    form = form_of(
        {
            "model": ["whisper-1"],
            "language": ["de-AT"],
            "temperature": ["0.4"],
            "stream": ["true"],
            "timestamp_granularities[]": ["segment"],
            "prompt": ["before"],
            "unknown": ["x"],
            "deadline_s": [""],
        }
    )
    core = transcription_to_core(form, b"sound", ID, "m", "translate", 60.0)
    assert form.stream
    assert (core.language, core.temperature, core.prompt, core.task) == ("de", 0.4, "before", "translate")
    assert (core.audio, core.max_audio_s, core.deadline_s, core.priority) == (b"sound", 60.0, None, "normal")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": ["warm"]}, "temperature"),
        ({"temperature": ["1.5"]}, "temperature"),
        ({"response_format": ["docx"]}, "response_format"),
        ({"stream": ["perhaps"]}, "stream"),
        ({"timestamp_granularities[]": ["segment", "word"]}, "timestamp_granularities"),
        ({"include[]": ["logprobs"]}, "include"),
        ({"stream": ["1"], "response_format": ["vtt"]}, "response_format"),
    ],
)
def test_what_cannot_be_done_names_its_field(fields: dict[str, list[str]], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        form_of(fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("named", "code"),
    [
        *(("en", "en"), ("EN", "en"), ("English", "en"), ("pt-BR", "pt"), ("zh_Hans", "zh")),
        *(("haitian creole", "ht"), ("jv", "jw"), ("iw", "he"), ("klingon", "klingon")),
    ],
)
def test_a_language_is_known_by_its_name_and_its_codes(named: str, code: str) -> None:
    assert code_of(named) == code


def test_all_languages_of_the_paper_have_names() -> None:
    assert (name_of("yue"), name_of("ba"), name_of("my"), name_of("xx")) == ("cantonese", "bashkir", "myanmar", "xx")

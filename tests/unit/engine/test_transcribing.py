"""Recordings in turns: windows that follow each other, what is tried again, who goes first, and who is gone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from appliance.backends.base import FeatureArray, LoadedListener, Reading, SampleArray, SpeechTokens, TokenArray
from appliance.backends.onnx.speech_traits import speech_traits
from appliance.core.events import Accepted, Failed, Finished, RequestEvent, Transcribed
from appliance.core.request import GenerateRequest, RequestId, TextPrompt, TranscribeRequest
from appliance.engine.hearing.recordings import RecordingReader
from appliance.engine.prompt import Arrival
from appliance.engine.transcribing import TranscribingEngine
from appliance.errors import InvalidRequest
from models.formats.speech_config import SpeechConfig
from tests.fakes import load_plan
from tests.tiny_whisper import wav

END, FIRST, VOCAB = 300, 320, 320 + 1501
A, B, C = b"abc"
LANGUAGES = {"en": 310, "de": 311}
TOKENS = SpeechTokens(
    start=301,
    end=END,
    previous=304,
    no_speech=305,
    no_timestamps=319,
    first_timestamp=FIRST,
    tasks={"transcribe": 302, "translate": 303},
    languages=LANGUAGES,
    suppressed=np.arange(END + 1, FIRST, dtype=np.int32),
    suppressed_first=np.array([], np.int32),
    timestamp_s=0.02,
)
CONFIG = SpeechConfig(
    num_mel_bins=1,
    max_audio_positions=1500,
    max_tokens=64,
    num_layers=1,
    num_heads=1,
    head_width=1,
    vocab_size=VOCAB,
    tokens={},
    tasks={},
    languages={},
    suppressed=(),
    suppressed_first=(),
)


def at(seconds: float) -> int:
    return FIRST + round(seconds / 0.02)


class Letters:
    """A tokenizer whose tokens are bytes."""

    def token_bytes(self, token: int) -> bytes:
        return bytes([token])

    def encode(self, text: str, *, parse_special: bool, add_bos: bool) -> TokenArray:
        return np.frombuffer(text.encode(), np.uint8).astype(np.int32)


class CountedFrames:
    def __init__(self) -> None:
        self._num_samples = 0

    def add(self, samples: SampleArray) -> None:
        self._num_samples += len(samples)

    def finish(self) -> int:
        return self._num_samples // 160

    def window(self, start: int) -> FeatureArray:
        return np.array([[start]], np.float32)


@dataclass
class ScriptedListener:
    """Says what the script has for the window that begins at a frame; a text marked `unsure` it only half believes."""

    script: Mapping[int, Sequence[int]]
    language: str = "de"
    silent: frozenset[int] = frozenset()
    unsure: frozenset[int] = frozenset()
    tokens: SpeechTokens = TOKENS
    beginnings: list[tuple[int, list[int]]] = field(default_factory=list)
    num_passes: int = 0
    traits: Any = field(default_factory=lambda: speech_traits(load_plan(), CONFIG))
    window_frames: int = 3000
    frame_s: float = 0.01

    def features(self) -> CountedFrames:
        return CountedFrames()

    def listen(self, window: FeatureArray) -> object:
        self.num_passes += 1
        return int(window[0, 0])

    def read(self, heard: object, tokens: TokenArray) -> Reading:
        assert isinstance(heard, int)
        self.beginnings.append((heard, tokens.tolist()))
        return self._reading(heard, 0, len(tokens))

    def follow(self, reading: Reading, token: int) -> Reading:
        heard, place = reading.state  # type: ignore[misc]  # this fake's own state
        return self._reading(heard, place + 1, 1)

    def close(self) -> None:
        pass

    def _reading(self, heard: int, place: int, num_tokens: int) -> Reading:
        self.num_passes += 1
        logits = np.zeros((num_tokens, VOCAB), np.float32)
        said = [*self.script.get(heard, ()), END]
        logits[:, said[min(place, len(said) - 1)]] = 4.0 if heard in self.unsure else 30.0
        logits[:, LANGUAGES[self.language]] = 5.0
        if heard in self.silent:
            logits = np.zeros_like(logits)
            logits[:, TOKENS.no_speech] = 20.0
        return Reading(logits, (heard, place))


class Bench:
    """A reader and an engine over one scripted model."""

    def __init__(self, listener: ScriptedListener) -> None:
        assert isinstance(listener, LoadedListener)
        self.listener, self.clock_s = listener, 0.0
        tokenizer: Any = Letters()
        self.reader = RecordingReader(tokenizer, listener.tokens, listener.traits)
        self.engine = TranscribingEngine(listener, tokenizer, clock=lambda: self.clock_s)

    def start(self, id: str, duration_s: float, *, caller: str = "somebody", **fields: Any) -> None:
        audio = wav(np.zeros(round(duration_s * 16_000), np.float32))
        request = TranscribeRequest(id=RequestId(id), model="m", audio=audio, max_audio_s=1000.0, **fields)
        assert self.engine.start(self.reader.prepare(request, Arrival(caller=caller))) == []

    def run(self) -> list[RequestEvent]:
        events: list[RequestEvent] = []
        while self.engine.has_work:
            events += self.engine.step()
        return events


def windows(events: Sequence[RequestEvent], id: str = "r") -> list[Transcribed]:
    return [event for event in events if isinstance(event, Transcribed) and event.id == id]


def test_each_window_begins_where_the_last_whole_segment_ended() -> None:
    script = {
        0: [at(0), A, at(10), at(10), B, at(20), at(20), C],  # c goes on behind the window
        2000: [at(0), C, at(15), at(15), A],
        3500: [at(0), A, at(5)],
    }
    bench = Bench(ScriptedListener(script))
    bench.start("r", 40.0)
    events = bench.run()
    assert [event.heard_s for event in windows(events)] == [20, 35, 40]
    segments = [each for event in windows(events) for each in event.segments]
    assert [(each.start_s, each.end_s, each.text, each.seek) for each in segments] == [
        (0, 10, "a", 0),
        (10, 20, "b", 0),
        (20, 35, "c", 2000),
        (35, 40, "a", 3500),
    ]
    assert isinstance(events[0], Accepted) and events[0].num_prompt_tokens == 2000
    last = events[-1]
    assert isinstance(last, Finished) and last.usage.completion_tokens == 8 + 5 + 3


def test_what_was_said_before_is_read_before_the_next_window_and_the_prompt_before_all() -> None:
    script = {0: [at(0), A, at(25), at(25), B], 2500: [at(0), B, at(5)]}
    bench = Bench(ScriptedListener(script))
    bench.start("r", 30.0, language="en", prompt="xy", task="translate")
    bench.run()
    task = [TOKENS.start, LANGUAGES["en"], TOKENS.tasks["translate"]]
    prompt = [TOKENS.previous, *b" xy"]
    assert bench.listener.beginnings == [(0, [*prompt, *task]), (2500, [*prompt, at(0), A, at(25), *task])]


def test_a_language_that_nobody_names_is_heard_once() -> None:
    bench = Bench(ScriptedListener({0: [at(0), A, at(30)], 3000: [at(0), B, at(10)]}, language="de"))
    bench.start("r", 40.0)
    assert {event.language for event in windows(bench.run())} == {"de"}
    alone = [place for place, tokens in bench.listener.beginnings if tokens == [TOKENS.start]]
    assert alone == [0]


def test_a_window_in_which_nobody_speaks_has_no_text() -> None:
    bench = Bench(ScriptedListener({3000: [at(0), A, at(5)]}, silent=frozenset({0})))
    bench.start("r", 40.0, language="en")
    assert [[each.text for each in event.segments] for event in windows(bench.run())] == [[], ["a"]]


def test_what_repeats_itself_is_written_again_and_is_no_context_for_what_follows() -> None:
    script = {0: [at(0), *[A] * 28, at(30)], 3000: [at(0), B, at(10)]}
    bench = Bench(ScriptedListener(script))
    bench.start("r", 40.0, language="en")
    first, second = windows(bench.run())
    assert first.segments[0].temperature == 1.0 and first.segments[0].compression_ratio > 2.4
    assert second.segments[0].temperature == 0.0
    assert bench.listener.beginnings[-1][1][0] == TOKENS.start  # nothing stands before


def test_a_model_whose_times_stand_still_comes_to_an_end_all_the_same() -> None:
    bench = Bench(ScriptedListener({0: [at(0), A, at(0), at(0)]}))
    bench.start("r", 10.0, language="en")
    assert isinstance(bench.run()[-1], Finished)


def test_a_text_ends_with_its_room() -> None:
    letters = [65 + place % 26 for place in range(200)]
    bench = Bench(ScriptedListener({0: [at(0), *letters]}))
    bench.start("r", 10.0, language="en")
    (window,) = windows(bench.run())
    assert len(window.segments[0].tokens) == CONFIG.max_tokens // 2


def test_a_short_recording_waits_for_a_window_of_a_long_one_and_no_longer() -> None:
    script = {start: [at(0), A, at(30)] for start in range(0, 30_000, 3000)}
    bench = Bench(ScriptedListener(script))
    bench.start("long", 300.0, language="en", caller="one")
    while not windows(bench.engine.step(), "long"):
        pass
    bench.start("short", 5.0, language="en", caller="two")
    events = bench.run()
    before = events[: next(place for place, each in enumerate(events) if isinstance(each, Finished))]
    assert not windows(before, "long") and len(windows(before, "short")) == 1


def test_a_window_that_was_begun_ends_before_another_of_its_class_begins() -> None:
    script = {start: [at(0), A, at(30)] for start in range(0, 9000, 3000)}
    bench = Bench(ScriptedListener(script))
    bench.start("first", 90.0, language="en", caller="one")
    while not windows(bench.engine.step(), "first"):
        pass
    bench.engine.step()  # hears the second window
    bench.start("second", 30.0, language="en", caller="two")
    heard = [event.id for event in bench.run() if isinstance(event, Transcribed)]
    assert heard == ["first", "second", "first"]


def test_two_callers_are_heard_in_turns() -> None:
    script = {start: [at(0), A, at(30)] for start in range(0, 12_000, 3000)}
    bench = Bench(ScriptedListener(script))
    for id, caller in (("a", "one"), ("b", "one"), ("c", "two")):
        bench.start(id, 120.0, language="en", caller=caller)
    heard = [event.id for event in bench.run() if isinstance(event, Transcribed)]
    assert [heard[:8].count(id) for id in "abc"] == [2, 2, 4]


def test_a_higher_class_interrupts_a_window_between_two_passes() -> None:
    bench = Bench(ScriptedListener({0: [at(0), A, B, C, at(30)]}))
    bench.start("batch", 30.0, language="en", priority="batch")
    for _ in range(4):
        assert windows(bench.engine.step(), "batch") == []
    bench.start("now", 30.0, language="en", priority="interactive")
    ended = [event.id for event in bench.run() if isinstance(event, Finished)]
    assert ended == ["now", "batch"]


def test_a_recording_that_nobody_wants_any_more_costs_no_further_pass() -> None:
    bench = Bench(ScriptedListener({0: [at(0), A, B, C, at(30)]}))
    bench.start("r", 30.0, language="en")
    for _ in range(4):
        bench.engine.step()
    num_passes = bench.listener.num_passes
    bench.engine.cancel(RequestId("r"))
    assert not bench.engine.has_work
    assert bench.listener.num_passes == num_passes


def test_a_damaged_recording_fails_alone() -> None:
    bench = Bench(ScriptedListener({0: [at(0), A, at(5)]}))
    bench.start("empty", 0.001, language="en")
    bench.start("r", 5.0, language="en")
    events = bench.run()
    failed = next(event for event in events if isinstance(event, Failed))
    assert (failed.id, failed.error.kind) == ("empty", "InvalidRequest")
    assert "holds no sound" in failed.error.message
    assert isinstance(events[-1], Finished) and events[-1].id == "r"


def test_only_recordings_are_prepared() -> None:
    bench = Bench(ScriptedListener({}))
    chat = GenerateRequest(id=RequestId("r"), model="m", prompt=TextPrompt(text="Hello"))
    with pytest.raises(InvalidRequest, match="turns speech into text"):
        bench.reader.prepare(chat, Arrival())


def test_a_model_that_knows_one_language_does_not_translate() -> None:
    tokens = SpeechTokens(**{name: getattr(TOKENS, name) for name in TOKENS.__slots__} | {"languages": {}})
    bench = Bench(ScriptedListener({0: [at(0), A, at(5)]}, tokens=tokens))
    with pytest.raises(InvalidRequest, match="knows English only"):
        bench.start("r", 5.0, task="translate")
    with pytest.raises(InvalidRequest, match="does not know the language 'de'"):
        bench.start("r", 5.0, language="de")
    bench.start("r", 5.0)
    bench.run()
    assert bench.listener.beginnings == [(0, [TOKENS.start])]

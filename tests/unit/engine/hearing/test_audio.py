"""Recordings of every kind that clients send become the same samples; what is no recording is an answer."""

import importlib.util
import io
from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from appliance.backends.base import SampleArray
from appliance.engine.hearing import audio
from appliance.engine.hearing.audio import Recording
from appliance.errors import InvalidRequest, NotOffered

RATE, DURATION_S = 16_000, 2.0


def tone(rate: int) -> SampleArray:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(DURATION_S * rate)) / rate)).astype(np.float32)


def by_libsndfile(kind: str, subtype: str | None, rate: int, channels: int = 1) -> bytes:
    file = io.BytesIO()
    samples = np.repeat(tone(rate)[:, None], channels, axis=1)
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def by_ffmpeg(kind: str, codec: str) -> bytes:
    file = io.BytesIO()
    samples = (tone(48_000)[None] * 32767).astype(np.int16)
    with av.open(file, "w", format=kind) as container:
        stream: Any = container.add_stream(codec, rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 48_000
        fifo = av.AudioFifo()
        for each in av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=48_000).resample(frame):
            each.pts = None
            fifo.write(each)
        while (part := fifo.read(stream.codec_context.frame_size or 960, partial=True)) is not None:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "wav": lambda: by_libsndfile("WAV", "PCM_16", 44_100, channels=2),
    "wav of floats": lambda: by_libsndfile("WAV", "FLOAT", 8_000),
    "flac": lambda: by_libsndfile("FLAC", None, 48_000),
    "mp3": lambda: by_libsndfile("MP3", None, 44_100),
    "ogg with vorbis": lambda: by_libsndfile("OGG", "VORBIS", 44_100),
    "ogg with opus": lambda: by_libsndfile("OGG", "OPUS", 48_000),
    "mp4": lambda: by_ffmpeg("mp4", "aac"),
    "m4a": lambda: by_ffmpeg("ipod", "aac"),
    "webm": lambda: by_ffmpeg("webm", "libopus"),
}


def samples_of(data: bytes, max_duration_s: float = 10.0) -> SampleArray:
    return np.concatenate(list(Recording(data, max_duration_s).pieces()))


@pytest.mark.parametrize("make", FILES.values(), ids=FILES)
def test_every_kind_of_file_is_heard(make: Callable[[], bytes]) -> None:
    samples = samples_of(make())
    assert len(samples) == pytest.approx(RATE * DURATION_S, rel=0.03)
    middle = samples[RATE // 2 : RATE // 2 * 3]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert spectrum.argmax() == pytest.approx(440, abs=1)
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no sound at all" * 100,
        np.random.default_rng(0).bytes(5_000),
        b"RIFF\x00\x00\x00\x00WAVEjunk" + bytes(50),
        FILES["m4a"]()[:9_000],
        b"#EXTM3U\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    ],
    ids=["empty", "text", "noise", "half a header", "no index", "a playlist", "a list of files"],
)
def test_what_is_no_recording_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"empty|no recording that can be read") as caught:
        samples_of(data)
    assert caught.value.param == "file"


@pytest.mark.parametrize("kind", ["wav", "m4a", "webm"])
def test_what_is_too_long_is_refused_before_all_of_it_is_held(kind: str) -> None:
    with pytest.raises(InvalidRequest, match=r"longer than 1 s, which is server\.max_audio_s"):
        samples_of(FILES[kind](), max_duration_s=1.0)


def test_numbers_that_are_none_are_silence() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.array([0.1, np.nan, np.inf, 0.1], np.float32), RATE, format="WAV", subtype="FLOAT")
    assert np.isfinite(samples_of(file.getvalue())).all()


def test_without_ffmpegs_libraries_a_film_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio.importlib.util, "find_spec", lambda name: None)
    for kind in ("m4a", "webm"):
        with pytest.raises(NotOffered, match="pip install av"):
            Recording(FILES[kind](), 10.0)
    with pytest.raises(InvalidRequest, match="known are wav, flac, mp3 and ogg"):
        Recording(b"no sound at all" * 100, 10.0)
    assert importlib.util.find_spec("soundfile") is None  # the very function that was replaced
    assert len(samples_of(FILES["flac"]())) == RATE * DURATION_S

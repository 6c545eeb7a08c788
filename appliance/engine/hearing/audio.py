"""Recordings as files of every kind that clients send, read as samples piece by piece; a broken one is an answer.

libsndfile reads WAV, FLAC, MP3 and Ogg (Vorbis, Opus). MP4, M4A and WebM need FFmpeg, which is there where PyAV is
installed: an extra, since its wheel is 35 MB and brings GPL encoders that nothing here uses.
"""

import importlib.util
import io
import sys
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from appliance.backends.base import SampleArray
from appliance.errors import InvalidRequest, NotOffered

from .resample import Resampler

SAMPLE_RATE = 16_000
_PIECE_S = 10.0
_RATES = range(4_000, 192_001)
_MAX_CHANNELS = 16
_PARAM = "file"
# Only what holds a recording: FFmpeg's playlists and descriptions would read other files
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mp3,wav,flac,ogg,aac"
_KNOWN = "wav, flac, mp3 and ogg, and with FFmpeg's libraries mp4, m4a and webm"


class _Source(Protocol):
    """A file whose header was read. `duration_s` is what it says of itself, None where it says nothing."""

    rate: int
    duration_s: float | None

    def pieces(self) -> Iterator[SampleArray]:
        """Yield the samples of all channels as one, at the file's own rate. Raises: InvalidRequest."""


class Recording:
    """A recording that was opened: 16,000 samples a second of one channel."""

    def __init__(self, data: bytes, max_duration_s: float) -> None:
        """Raises: InvalidRequest, for what is no recording or too long; NotOffered, for what needs more libraries."""
        self._source = _open(data)
        self._max_duration_s = max_duration_s
        if self._source.rate not in _RATES:
            raise InvalidRequest(f"the recording has {self._source.rate} samples a second", param=_PARAM)
        if self._source.duration_s is not None and self._source.duration_s > max_duration_s:
            raise self._too_long()

    @property
    def duration_s(self) -> float | None:
        """Return how long the file says that it is."""
        return self._source.duration_s

    def pieces(self) -> Iterator[SampleArray]:
        """Yield the samples, `(num_samples,) float32` in [-1, 1], some seconds at a time. Raises: InvalidRequest."""
        resampler = Resampler(self._source.rate, SAMPLE_RATE)
        num_left = int(self._max_duration_s * SAMPLE_RATE)
        for piece in self._source.pieces():
            samples = resampler.add(np.nan_to_num(piece, posinf=0.0, neginf=0.0))
            num_left -= len(samples)
            if num_left < 0:
                raise self._too_long()
            yield samples
        yield resampler.finish()

    def _too_long(self) -> InvalidRequest:
        return InvalidRequest(
            f"the recording is longer than {self._max_duration_s:.0f} s, which is server.max_audio_s; send it in parts",
            param=_PARAM,
        )


def _open(data: bytes) -> _Source:
    if not data:
        raise InvalidRequest("the file is empty", param=_PARAM)
    try:
        return _SndFile(data)
    except _NotRead as error:
        reason = error
    if importlib.util.find_spec("av") is not None:
        return _FFmpeg(data)
    if _needs_ffmpeg(data):
        raise NotOffered(
            "recordings in MP4, M4A and WebM need FFmpeg's libraries, which are not installed here; send WAV, MP3, "
            f"FLAC or Ogg, or have it installed: {sys.executable} -m pip install av",
            param=_PARAM,
        )
    raise _no_recording(str(reason))


def _no_recording(reason: str) -> InvalidRequest:
    return InvalidRequest(f"the file is no recording that can be read ({reason}); known are {_KNOWN}", param=_PARAM)


class _NotRead(Exception):
    """The library does not know the file."""


class _SndFile:
    """A file that libsndfile reads."""

    def __init__(self, data: bytes) -> None:
        import soundfile

        try:
            self._file: Any = soundfile.SoundFile(io.BytesIO(data))
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            raise _NotRead(str(error).rpartition(": ")[2].strip(" .") or "unknown") from None
        _check_channels(self._file.channels)
        self.rate: int = self._file.samplerate
        num_frames: int = self._file.frames
        self.duration_s = num_frames / self.rate if 0 < num_frames < 2**40 and self.rate else None

    def pieces(self) -> Iterator[SampleArray]:
        """Yield what the file holds."""
        import soundfile

        while True:
            try:
                frames = self._file.read(int(_PIECE_S * self.rate), dtype="float32", always_2d=True)
            except (soundfile.SoundFileError, OSError, ValueError) as error:
                raise InvalidRequest(f"the recording is damaged: {error}", param=_PARAM) from None
            if len(frames) == 0:
                return
            yield frames.mean(axis=1, dtype=np.float32)


class _FFmpeg:
    """A file that FFmpeg reads, its first track of sound. What is damaged within is passed over, as players do."""

    def __init__(self, data: bytes) -> None:
        import av

        try:
            options = {"format_whitelist": _FORMATS, "protocol_whitelist": ""}
            container: Any = av.open(io.BytesIO(data), options=options, metadata_errors="ignore")
        except (av.FFmpegError, ValueError) as error:
            raise _no_recording(_said(error)) from None
        self._container = container
        if not self._container.streams.audio:
            raise InvalidRequest("the file holds no sound", param=_PARAM)
        self._stream = self._container.streams.audio[0]
        _check_channels(self._stream.codec_context.channels)
        self.rate: int = self._stream.codec_context.sample_rate or SAMPLE_RATE
        known = self._container.duration
        self.duration_s = known / av.time_base if known is not None and known > 0 else None

    def pieces(self) -> Iterator[SampleArray]:
        """Yield what the track holds."""
        import av

        resampler = av.AudioResampler(format="flt", layout="mono", rate=self.rate)
        held: list[SampleArray] = []
        for frame in self._frames():
            held += [each.to_ndarray()[0] for each in resampler.resample(frame)]
            if sum(map(len, held)) >= _PIECE_S * self.rate:
                yield np.concatenate(held)
                held = []
        held += [each.to_ndarray()[0] for each in resampler.resample(None)]
        if held:
            yield np.concatenate(held)

    def _frames(self) -> Iterator[Any]:
        import av

        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield from packet.decode()
                except av.InvalidDataError:
                    continue
        except av.EOFError:
            return
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InvalidRequest(f"the recording is damaged: {_said(error)}", param=_PARAM) from None


def _check_channels(num_channels: int) -> None:
    if not 0 < num_channels <= _MAX_CHANNELS:
        raise InvalidRequest(f"the recording has {num_channels} channels; at most {_MAX_CHANNELS}", param=_PARAM)


def _needs_ffmpeg(data: bytes) -> bool:
    """Return whether the first bytes are those of MP4 (and M4A) or of WebM. Sources: ISO/IEC 14496-12; RFC 8794."""
    return data[4:8] == b"ftyp" or data.startswith(b"\x1a\x45\xdf\xa3")


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)

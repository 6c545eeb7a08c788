"""What was said in a recording, in the five forms and the stream that OpenAI's clients ask for.

Source: OpenAI's API reference, "The transcription object"; W3C, "WebVTT"; SubRip's files have no specification.
"""

from collections.abc import Sequence

import msgspec

from appliance.core.events import Finished, RequestEvent, Segment, Transcribed

from .languages import name_of
from .transcription import ResponseFormat, Task


class DurationUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What it cost: seconds of sound."""

    seconds: float
    type: str = "duration"


class TranscriptionWire(msgspec.Struct, frozen=True, kw_only=True):
    """The answer in form `json`."""

    text: str
    usage: DurationUsage


class SegmentWire(msgspec.Struct, frozen=True, kw_only=True):
    """A segment of the answer in form `verbose_json`."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: tuple[int, ...]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class VerboseTranscriptionWire(msgspec.Struct, frozen=True, kw_only=True):
    """The answer in form `verbose_json`."""

    task: str
    language: str
    duration: float
    text: str
    segments: list[SegmentWire]
    usage: DurationUsage


class TranscriptDelta(msgspec.Struct, frozen=True, kw_only=True):
    """More of the text, in a stream."""

    delta: str
    type: str = "transcript.text.delta"


class TranscriptDone(msgspec.Struct, frozen=True, kw_only=True):
    """The whole text, as the end of a stream."""

    text: str
    usage: DurationUsage
    type: str = "transcript.text.done"


class Transcript:
    """Gathers what was said."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.language = "en"
        self.duration_s = 0.0

    def add(self, event: RequestEvent) -> None:
        """Take the next event."""
        if isinstance(event, Transcribed):
            self.segments += event.segments
            self.language, self.duration_s = event.language, event.duration_s

    @property
    def text(self) -> str:
        """Return all of the text."""
        return "".join(segment.text for segment in self.segments).strip()

    @property
    def usage(self) -> DurationUsage:
        """Return what it cost."""
        return DurationUsage(seconds=round(self.duration_s, 2))


class TranscriptStream:
    """Writes what was said as a stream: a window's text as soon as it is read."""

    def __init__(self) -> None:
        self._transcript = Transcript()
        self._num_sent = 0

    def add(self, event: RequestEvent) -> bytes:
        """Return what to send for an event."""
        self._transcript.add(event)
        if isinstance(event, Finished):
            return b""
        text = self._transcript.text
        delta, self._num_sent = text[self._num_sent :], len(text)
        return _event(TranscriptDelta(delta=delta)) if delta else b""

    def end(self) -> bytes:
        """Return the end of the stream."""
        return _event(TranscriptDone(text=self._transcript.text, usage=self._transcript.usage))


def written(transcript: Transcript, form: ResponseFormat, task: Task) -> tuple[bytes, bytes]:
    """Return the answer and its media type."""
    if form == "json":
        return _json(TranscriptionWire(text=transcript.text, usage=transcript.usage)), b"application/json"
    if form == "verbose_json":
        return _json(_verbose(transcript, task)), b"application/json"
    if form == "srt":
        return _srt(transcript.segments).encode(), b"text/plain; charset=utf-8"
    if form == "vtt":
        return _vtt(transcript.segments).encode(), b"text/vtt; charset=utf-8"
    return f"{transcript.text}\n".encode(), b"text/plain; charset=utf-8"


def _verbose(transcript: Transcript, task: Task) -> VerboseTranscriptionWire:
    return VerboseTranscriptionWire(
        task=task,
        language=name_of("en" if task == "translate" else transcript.language),
        duration=round(transcript.duration_s, 2),
        text=transcript.text,
        segments=[_segment(number, segment) for number, segment in enumerate(transcript.segments)],
        usage=transcript.usage,
    )


def _segment(number: int, segment: Segment) -> SegmentWire:
    return SegmentWire(
        id=number,
        seek=segment.seek,
        start=segment.start_s,
        end=segment.end_s,
        text=segment.text,
        tokens=segment.tokens,
        temperature=segment.temperature,
        avg_logprob=segment.mean_logprob,
        compression_ratio=segment.compression_ratio,
        no_speech_prob=segment.no_speech_ratio,
    )


def _srt(segments: Sequence[Segment]) -> str:
    cues = [
        f"{number}\n{_moment(each.start_s, ',')} --> {_moment(each.end_s, ',')}\n{_line(each)}\n"
        for number, each in enumerate(segments, start=1)
    ]
    return "\n".join(cues)


def _vtt(segments: Sequence[Segment]) -> str:
    cues = [f"{_moment(each.start_s, '.')} --> {_moment(each.end_s, '.')}\n{_line(each)}\n" for each in segments]
    return "\n".join(["WEBVTT\n", *cues])


def _line(segment: Segment) -> str:
    """Return a segment's text as the text of a cue, in which an arrow would begin another one."""
    return " ".join(segment.text.split()).replace("-->", "->")


def _moment(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{point}{rest % 1000:03}"


def _json(wire: msgspec.Struct) -> bytes:
    return msgspec.json.encode(wire)


def _event(wire: msgspec.Struct) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(wire)

"""A recording from its first window to its last, a pass of the model at a time. Knows no other recording.

The next window begins where the last whole segment of this one ended, and is read after what was said before.
Source: Radford et al., 2022, section 4.5.
"""

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from appliance.backends.base import Features, LoadedListener
from appliance.core.events import Segment
from appliance.errors import InvalidRequest

from .audio import SAMPLE_RATE
from .decode import Manner, WindowReader
from .recordings import PreparedRecording
from .window import Attempt, Cut, Span, cut

_MAX_TRUSTED_TEMPERATURE = 0.5
"""What was written at a higher one is no context for what follows: a loop would go on."""


@dataclass(frozen=True, slots=True)
class Window:
    """What became of a window: the recording was heard up to `heard_s`."""

    heard_s: float
    num_tokens: int
    segments: tuple[Segment, ...]


Course = Generator[Window | None, None, None]
"""Yields None after a pass, and what became of each window. Raises: InvalidRequest, for a damaged recording."""


@dataclass(slots=True)
class Listening:
    """One recording under way. `language` and `duration_s` are known once the first window is read."""

    listener: LoadedListener
    reader: WindowReader
    prepared: PreparedRecording
    language: str = "en"
    duration_s: float = 0.0
    is_within_window: bool = False
    is_over: bool = False
    _said: list[int] = field(default_factory=list)
    _trusted_from: int = 0
    _num_frames: int = 0

    def course(self) -> Course:
        """Hear the recording."""
        features = self.listener.features()
        yield from self._take_in(features)
        heard: object = None
        self._said += self.prepared.context
        if self.listener.tokens.languages:
            if self.prepared.request.language is None:
                self.is_within_window = True
                heard = self.listener.listen(features.window(0))
                yield None
                self.language = self.reader.language(heard)
                yield None
            else:
                self.language = self.prepared.request.language
        manner, seek = self._manner(), 0
        while seek < self._num_frames:
            self.is_within_window = True
            if heard is None:
                heard = self.listener.listen(features.window(seek))
                yield None
            attempt = yield from self.reader.passes(heard, self._said[self._trusted_from :], manner)
            heard = None
            num_frames = min(self.listener.window_frames, self._num_frames - seek)
            seek, segments = self._take(attempt, seek, num_frames)
            self.is_within_window, self.is_over = False, seek >= self._num_frames
            yield Window(min(seek * self.listener.frame_s, self.duration_s), len(attempt.tokens), segments)

    def _take_in(self, features: Features) -> Course:
        num_samples = 0
        for piece in self.prepared.recording.pieces():
            features.add(piece)
            num_samples += len(piece)
            yield None
        self._num_frames = features.finish()
        if self._num_frames == 0:
            raise InvalidRequest("the recording holds no sound", param="file")
        self.duration_s = num_samples / SAMPLE_RATE

    def _manner(self) -> Manner:
        tokens, request = self.listener.tokens, self.prepared.request
        named = (tokens.languages[self.language], tokens.tasks[request.task]) if tokens.languages else ()
        return Manner((tokens.start, *named), request.temperature, np.random.default_rng(0))

    def _take(self, attempt: Attempt, seek: int, num_frames: int) -> tuple[int, tuple[Segment, ...]]:
        """Return where the next window begins, and the segments of this one."""
        if attempt.is_silence:
            return seek + num_frames, ()
        tokens, frames_per_step = self.listener.tokens, self._frames_per_timestamp
        found = cut(attempt.tokens, tokens.first_timestamp, num_frames // frames_per_step)
        segments = []
        for span in found.spans:
            text = self.reader.to_text(span.tokens)
            if text.strip() and span.start != span.end:
                segments.append(self._segment(attempt, span, text, seek))
                self._said += span.tokens
        if attempt.temperature > _MAX_TRUSTED_TEMPERATURE:
            self._trusted_from = len(self._said)
        return self._next(found, seek, num_frames), tuple(segments)

    def _next(self, found: Cut, seek: int, num_frames: int) -> int:
        """Return the next window's start: always further on, whatever a model's timestamps say."""
        heard_frames = (found.heard or 0) * self._frames_per_timestamp
        return seek + (heard_frames or num_frames)

    def _segment(self, attempt: Attempt, span: Span, text: str, seek: int) -> Segment:
        at_s, step_s = seek * self.listener.frame_s, self.listener.tokens.timestamp_s
        return Segment(
            start_s=round(min(at_s + span.start * step_s, self.duration_s), 2),
            end_s=round(min(at_s + span.end * step_s, self.duration_s), 2),
            text=text,
            tokens=span.tokens,
            temperature=attempt.temperature,
            mean_logprob=attempt.mean_logprob,
            compression_ratio=attempt.compression_ratio,
            no_speech_ratio=attempt.no_speech_ratio,
            seek=seek,
        )

    @property
    def _frames_per_timestamp(self) -> int:
        return round(self.listener.tokens.timestamp_s / self.listener.frame_s)

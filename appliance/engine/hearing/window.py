"""What the text of one window means: its segments, and where the next window begins. Pure.

Source: Radford et al., 2022, section 3.8: a window ends with the last segment that is whole, and the next begins there.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

NO_SPEECH_RATIO = 0.6
MIN_MEAN_LOGPROB = -1.0
MAX_COMPRESSION_RATIO = 2.4


@dataclass(frozen=True, slots=True)
class Attempt:
    """A text for a window at one temperature. `mean_logprob` counts its end; `tokens` do not hold it."""

    tokens: tuple[int, ...]
    text: str
    temperature: float
    mean_logprob: float
    no_speech_ratio: float

    @property
    def compression_ratio(self) -> float:
        """Return by how much the text can be packed, which says how often it repeats itself."""
        data = self.text.encode()
        return len(data) / len(zlib.compress(data))

    @property
    def is_silence(self) -> bool:
        """Return whether nobody spoke: it seems so, and the text is no more than a guess."""
        return self.no_speech_ratio > NO_SPEECH_RATIO and self.mean_logprob <= MIN_MEAN_LOGPROB

    @property
    def is_good(self) -> bool:
        """Return whether no other temperature need be tried."""
        if self.no_speech_ratio > NO_SPEECH_RATIO and self.mean_logprob < MIN_MEAN_LOGPROB:
            return True
        return self.compression_ratio <= MAX_COMPRESSION_RATIO and self.mean_logprob >= MIN_MEAN_LOGPROB


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens of a window that are one segment, and its times in timestamps from the window's start."""

    start: int
    end: int
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """The segments of a window, and how far of it was heard, in timestamps; None: all of it."""

    spans: tuple[Span, ...]
    heard: int | None


def cut(tokens: Sequence[int], first_timestamp: int, window_length: int) -> Cut:
    """Return the segments of a window that is `window_length` timestamps long, up to the recording's end.

    Two timestamps side by side end one segment and begin the next. What follows the last such pair is heard again with
    the next window, unless the text ends with a single timestamp: then nothing of the window follows it.
    """
    is_time = [token >= first_timestamp for token in tokens]
    borders = [index + 1 for index, pair in enumerate(pairwise(is_time)) if all(pair)]
    ends_alone = is_time[-2:] == [False, True]
    if not borders:
        times = [token - first_timestamp for token in tokens if token >= first_timestamp]
        end = times[-1] if times and times[-1] > 0 else window_length
        return Cut((Span(0, end, tuple(tokens)),), None)
    starts = [0, *borders]
    ends = [*borders, *([len(tokens)] if ends_alone else [])]
    spans = tuple(
        Span(tokens[start] - first_timestamp, tokens[end - 1] - first_timestamp, tuple(tokens[start:end]))
        for start, end in zip(starts, ends, strict=False)
    )
    return Cut(spans, None if ends_alone else spans[-1].end)

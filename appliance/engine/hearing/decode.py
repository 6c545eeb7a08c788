"""One window's text, a pass of the model at a time, so that others have their turns between any two.

Read greedily first; what repeats itself or is improbable is written again at higher temperatures.
Source: Radford et al., 2022, section 4.5.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np

from appliance.backends.base import LoadedListener, LogitsArray, Reading
from appliance.errors import BackendError

from .rules import TimestampRules, log_softmax
from .window import Attempt

_TEMPERATURE_STEP = 0.2
_MAX_TEMPERATURE = 1.0

Passes = Generator[None, None, Attempt]
"""Yields after each pass of the model, and returns the text that was settled on."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How all windows of a recording are read: `beginning` are the tokens that say in which language, and what for."""

    beginning: tuple[int, ...]
    temperature: float
    random: np.random.Generator


class WindowReader:
    """Reads windows with one model."""

    def __init__(self, listener: LoadedListener, to_text: Callable[[Sequence[int]], str]) -> None:
        """`to_text` returns the text of tokens, timestamps left out."""
        self._listener = listener
        self.to_text = to_text
        self._tokens = listener.tokens
        self._rules = TimestampRules(listener.tokens)
        # A half of the context is for a window's text, the other for what was said before
        self._max_said = listener.traits.max_context_tokens // 2
        self._max_context = self._max_said - 1

    def language(self, heard: object) -> str:
        """Return the code of the language that is spoken: one pass of the model."""
        languages = self._tokens.languages
        logits = self._listener.read(heard, np.array([self._tokens.start], np.int32)).logits[-1]
        return max(languages, key=lambda code: float(logits[languages[code]]))

    def passes(self, heard: object, context: Sequence[int], manner: Manner) -> Passes:
        """Read a window after the tokens `context`. The text is the first good one, else the last that was tried."""
        kept = [self._tokens.previous, *context[-self._max_context :]] if context else []
        beginning = np.array([*kept, *manner.beginning], np.int32)
        reading = self._listener.read(heard, beginning)
        no_speech_ratio = self._no_speech_ratio(reading.logits[len(kept)])
        room = min(self._max_said, self._listener.traits.max_context_tokens - len(beginning))
        yield
        temperature = manner.temperature
        while True:
            tokens, mean_logprob = yield from self._said(reading, room, temperature, manner.random)
            attempt = Attempt(tokens, self.to_text(tokens), temperature, mean_logprob, no_speech_ratio)
            temperature = round(temperature + _TEMPERATURE_STEP, 3)
            if attempt.is_good or temperature > _MAX_TEMPERATURE:
                return attempt

    def _no_speech_ratio(self, logits: LogitsArray) -> float:
        if not np.isfinite(logits).all():
            raise BackendError("the model computed no numbers for a recording; its weights may be damaged")
        return float(np.exp(log_softmax(logits)[self._tokens.no_speech]))

    def _said(
        self, reading: Reading, room: int, temperature: float, random: np.random.Generator
    ) -> Generator[None, None, tuple[tuple[int, ...], float]]:
        """Write up to `room` tokens and return them with the mean of their log-probabilities and their end's."""
        said: list[int] = []
        sum_logprob = 0.0
        while len(said) < room:
            logits = reading.logits[-1].copy()
            self._rules.apply(logits, said)
            token = _choose(logits, temperature, random)
            sum_logprob += float(log_softmax(logits)[token])
            if token == self._tokens.end:
                break
            said.append(token)
            if len(said) < room:
                reading = self._listener.follow(reading, token)
                yield
        return tuple(said), sum_logprob / (len(said) + 1)


def _choose(logits: LogitsArray, temperature: float, random: np.random.Generator) -> int:
    if temperature == 0:
        return int(logits.argmax())
    probabilities = np.exp(log_softmax(logits / np.float32(temperature)), dtype=np.float64)
    return int(random.choice(len(logits), p=probabilities / probabilities.sum()))


def text_of(token_bytes: Callable[[int], bytes], end: int) -> Callable[[Sequence[int]], str]:
    """Return what makes text of tokens: those from `end` on say nothing. A cut character becomes a mark."""
    return lambda tokens: b"".join(token_bytes(token) for token in tokens if token < end).decode(errors="replace")

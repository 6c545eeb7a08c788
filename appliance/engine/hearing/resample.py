"""Another sampling rate for sound that comes in pieces: a polyphase filter in numpy. Knows no file.

Source: J. O. Smith, "Digital Audio Resampling", for the windowed sinc; J. Kaiser, 1974, for the window.
"""

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from appliance.backends.base import SampleArray

_ZERO_CROSSINGS = 24
_KAISER_BETA = 9.0  # what is folded back is 90 dB below
_MAX_DOWN = 2**14
"""A filter for a rate like 191,999 would take most of a gigabyte, so that one is read by the nearest smaller ratio,
which is milliseconds off in an hour. Every usual rate is exact."""
_PASSED_RATIO = 0.94  # of the lower rate's band; between here and its end the filter falls


class Resampler:
    """Turns samples at one rate into samples at another, each piece as far as its successors do not matter."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        ratio = Fraction(to_rate, from_rate).limit_denominator(_MAX_DOWN)
        self._up, self._down = ratio.numerator, ratio.denominator
        self._taps = _taps(self._up, self._down)
        self._half = self._taps.shape[1] // 2
        self._rest: SampleArray = np.zeros(self._half - 1, np.float32)
        self._phase = 0  # of the next output sample, in steps of 1/up of an input sample from the start of the rest

    def add(self, samples: SampleArray) -> SampleArray:
        """Return the output that these samples complete."""
        if self._up == self._down:
            return samples
        held = np.concatenate([self._rest, samples])
        num_taps = self._taps.shape[1]
        last_start = len(held) - num_taps
        num_outputs = max(0, ((last_start + 1) * self._up - self._phase + self._down - 1) // self._down)
        if num_outputs == 0:
            self._rest = held
            return np.zeros(0, np.float32)
        positions = self._phase + self._down * np.arange(num_outputs)
        starts, phases = positions // self._up, positions % self._up
        windows = np.lib.stride_tricks.sliding_window_view(held, num_taps)
        output = np.einsum("ij,ij->i", windows[starts], self._taps[phases])
        following = self._phase + self._down * num_outputs
        kept_from = min(following // self._up, len(held))
        self._rest = held[kept_from:]
        self._phase = following - kept_from * self._up
        return np.asarray(output, np.float32)

    def finish(self) -> SampleArray:
        """Return the last output, after which there is silence."""
        return self.add(np.zeros(0 if self._up == self._down else self._half, np.float32))


def _taps(up: int, down: int) -> npt.NDArray[np.float32]:
    """Return a filter for each place between two input samples, `(up, num_taps)`; each keeps a constant as it is."""
    cutoff = _PASSED_RATIO * min(1.0, up / down)
    half = math.ceil(_ZERO_CROSSINGS / cutoff)
    distances = np.arange(-half + 1, half + 1)[None] - (np.arange(up) / up)[:, None]
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0, 1 - (distances / half) ** 2))) / np.i0(_KAISER_BETA)
    taps = cutoff * np.sinc(cutoff * distances) * window
    return np.asarray(taps / taps.sum(axis=1, keepdims=True), np.float32)

"""The log-mel spectrum that Whisper hears, in numpy: made piece by piece, so that a long recording is never held whole.

Sources: Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, section 2.2; M. Slaney,
"Auditory Toolbox", 1998, for the scale of the filters and their equal areas.
"""

import functools

import numpy as np
import numpy.typing as npt

from appliance.backends.base import FeatureArray, SampleArray

SAMPLE_RATE = 16_000
FRAME_SAMPLES = 400  # 25 ms are looked at
HOP_SAMPLES = 160  # every 10 ms
FRAME_S = HOP_SAMPLES / SAMPLE_RATE
_HALF = FRAME_SAMPLES // 2
_FLOOR = 1e-10
_RANGE = 8.0  # what is quieter than the loudest by more powers of ten than this counts as that quiet
# Slaney's scale: even steps of 200/3 Hz up to 1,000 Hz, then 27 even steps of the logarithm up to 6,400 Hz
_LINEAR_HZ, _BREAK_HZ, _LOG_STEP = 200 / 3, 1000.0, np.log(6.4) / 27

FloatArray = npt.NDArray[np.float64]


class LogMel:
    """The spectrum so far, and the samples of frames that are not whole yet."""

    def __init__(self, num_bins: int, window_frames: int) -> None:
        self._filters = mel_filters(num_bins)
        self._window_frames = window_frames
        self._rest = np.zeros(0, np.float32)
        self._has_begun = False
        self._num_samples = 0
        self._parts: list[FeatureArray] = []
        self._frames = np.zeros((num_bins, 0), np.float32)

    def add(self, samples: SampleArray) -> None:
        """Take the next samples."""
        self._num_samples += len(samples)
        self._rest = np.concatenate([self._rest, samples])
        if not self._has_begun:
            if len(self._rest) <= _HALF:
                return  # the mirror image before the first sample needs more
            self._begin()
        self._compute()

    def finish(self) -> int:
        """Take in the end and return the number of frames; behind the last sample comes silence.

        Frames that begin behind the last whole one still hear the end of the sound: they stay for the windows.
        """
        self._rest = np.concatenate([self._rest, np.zeros(FRAME_SAMPLES, np.float32)])
        if not self._has_begun:
            self._begin()
        self._compute()
        frames = np.concatenate([*self._parts, self._frames], axis=1)
        self._parts = []
        least = float(np.log10(_FLOOR))
        self._floor = max(least, float(frames.max(initial=least)) - _RANGE)
        # In place: two hours are a quarter of a gigabyte
        np.maximum(frames, self._floor, out=frames)
        frames += 4
        frames /= 4
        self._frames = frames
        return self._num_samples // HOP_SAMPLES

    def window(self, start: int) -> FeatureArray:
        """Return the frames from `start` on, `(num_bins, window_frames) float32`."""
        window = np.full((len(self._frames), self._window_frames), (self._floor + 4) / 4, np.float32)
        found = self._frames[:, start : start + self._window_frames]
        window[:, : found.shape[1]] = found
        return window

    def _begin(self) -> None:
        self._has_begun = True
        self._rest = np.concatenate([self._rest[_HALF:0:-1], self._rest])

    def _compute(self) -> None:
        num_frames = 1 + (len(self._rest) - FRAME_SAMPLES) // HOP_SAMPLES
        if num_frames < 1:
            return
        frames = np.lib.stride_tricks.sliding_window_view(self._rest, FRAME_SAMPLES)[::HOP_SAMPLES]
        power = np.abs(np.fft.rfft(frames * _hann(), axis=1)) ** 2
        mel = np.log10(np.maximum(self._filters @ power.T, _FLOOR))
        self._parts.append(mel.astype(np.float32))
        self._rest = self._rest[num_frames * HOP_SAMPLES :]


@functools.cache
def mel_filters(num_bins: int) -> FloatArray:
    """Return `(num_bins, 201) float64`: triangles over the frequencies of a frame, from 0 to 8,000 Hz."""
    frequencies = np.linspace(0, SAMPLE_RATE / 2, FRAME_SAMPLES // 2 + 1)
    edges = _to_hz(np.linspace(0, _to_mel(SAMPLE_RATE / 2), num_bins + 2))
    widths = np.diff(edges)
    slopes = edges[:, None] - frequencies
    rising = -slopes[:-2] / widths[:-1, None]
    falling = slopes[2:] / widths[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(triangles * (2 / (edges[2:] - edges[:-2]))[:, None], np.float64)


@functools.cache
def _hann() -> FloatArray:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES), np.float64)


def _to_mel(hz: float) -> float:
    linear = hz / _LINEAR_HZ
    return linear if hz < _BREAK_HZ else _BREAK_HZ / _LINEAR_HZ + float(np.log(hz / _BREAK_HZ)) / _LOG_STEP


def _to_hz(mel: FloatArray) -> FloatArray:
    break_mel = _BREAK_HZ / _LINEAR_HZ
    return np.where(mel < break_mel, mel * _LINEAR_HZ, _BREAK_HZ * np.exp(_LOG_STEP * (mel - break_mel)))

"""Another sampling rate keeps what can be heard and lets nothing be folded back."""

import numpy as np
import pytest

from appliance.backends.base import SampleArray
from appliance.engine.hearing.resample import Resampler

RATE = 16_000


def tone(frequency: float, rate: int, duration_s: float = 1.0) -> SampleArray:
    return np.sin(2 * np.pi * frequency * np.arange(round(duration_s * rate)) / rate).astype(np.float32)


def resampled(samples: SampleArray, rate: int, piece: int) -> SampleArray:
    resampler = Resampler(rate, RATE)
    pieces = [resampler.add(samples[start : start + piece]) for start in range(0, len(samples), piece)]
    return np.concatenate([*pieces, resampler.finish()])


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_a_tone_stays_the_same_tone(rate: int) -> None:
    output = resampled(tone(440, rate), rate, 4_321)
    assert len(output) == RATE
    assert np.abs(output - tone(440, RATE))[200:-200].max() < 1e-4


@pytest.mark.parametrize("piece", [1, 7, 1_000])
def test_it_does_not_matter_how_the_samples_come(piece: int) -> None:
    samples = np.random.default_rng(0).standard_normal(3_000).astype(np.float32)
    whole = resampled(samples, 44_100, len(samples))
    assert np.allclose(resampled(samples, 44_100, piece), whole, atol=1e-6)


def test_no_rate_asks_for_a_filter_that_fills_the_memory() -> None:
    for rate in (4_001, 16_001, 100_003, 191_999):
        made = Resampler(rate, 16_000)
        assert made._taps.nbytes < 2**23
        assert made._up / made._down == pytest.approx(16_000 / rate, rel=1e-5)


def test_what_is_too_high_to_be_heard_is_gone() -> None:
    assert np.abs(resampled(tone(9_500, 48_000), 48_000, 5_000))[300:-300].max() < 1e-4

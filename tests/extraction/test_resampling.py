"""Resampling many clips at a time gives, bit for bit, what soxr gives for each alone."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from raymtl.extraction.resampling import length, resample_many
from tests.extraction.sounds import voice

RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 7_999]


@settings(max_examples=40)
@given(
    clips=st.lists(
        st.tuples(st.sampled_from(RATES), st.integers(1, 6_000), st.integers(1, 3)),
        min_size=1,
        max_size=24,
    ),
    rate=st.sampled_from([8_000, 16_000, 22_050]),
)
def test_packed_equals_alone(clips: list[tuple[int, int, int]], rate: int) -> None:
    waves = [voice(n, own, c, seed).T for seed, (own, n, c) in enumerate(clips)]
    results = resample_many(waves, [own for own, _, _ in clips], rate)
    for wave, (own, samples, _), result in zip(waves, clips, results, strict=True):
        assert result is not None
        assert result.shape == (wave.shape[0], length(samples, own, rate))
        for channel, converted in zip(wave, result, strict=True):
            alone = channel if own == rate else soxr.resample(channel.copy(), own, rate)
            expected = np.zeros(len(converted), np.float32)
            expected[: len(alone)] = alone[: len(expected)]
            np.testing.assert_array_equal(converted, expected)


@pytest.mark.parametrize("samples", [4_000, 4_001])
@pytest.mark.parametrize("own", [8_000, 11_025, 44_100])
def test_clips_of_one_length_equal_each_alone(own: int, samples: int) -> None:
    waves = [voice(samples, own, seed=seed).T for seed in range(20)]
    for wave, result in zip(waves, resample_many(waves, [own] * 20, 16_000), strict=True):
        assert result is not None
        alone = soxr.resample(wave[0].copy(), own, 16_000)
        np.testing.assert_array_equal(result[0, : len(alone)], alone[: result.shape[1]])


def test_missing_clips_stay_missing() -> None:
    results = resample_many([None, voice(800, 8_000).T, None], [0, 8_000, 0], 16_000)
    assert [result is None for result in results] == [True, False, True]


@pytest.mark.parametrize(
    ("samples", "own", "rate", "expected"),
    [(100, 8_000, 16_000, 200), (101, 44_100, 16_000, 37), (1, 48_000, 8_000, 1)],
)
def test_length_is_rounded_up(samples: int, own: int, rate: int, expected: int) -> None:
    assert length(samples, own, rate) == expected

"""Smoothing over time."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfiltfilt

from poselift.errors import DataError, UsageError
from poselift.geometry.smooth import (
    OneEuro,
    smooth_normal,
    solve_block_tridiagonal,
    spans,
    whittaker,
)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 3))
def test_block_tridiagonal_equals_a_dense_solver(seed, n, k):
    rng = np.random.default_rng(seed)
    dense = np.zeros((n * k, n * k))
    upper = rng.normal(size=(n - 1, k, k))
    for i in range(n):
        block = rng.normal(size=(k, k))
        dense[i * k : i * k + k, i * k : i * k + k] = block @ block.T + 4 * k * np.eye(k)
        if i + 1 < n:
            dense[i * k : i * k + k, i * k + k : i * k + 2 * k] = upper[i]
            dense[i * k + k : i * k + 2 * k, i * k : i * k + k] = upper[i].T
    diagonal = np.stack([dense[i * k : i * k + k, i * k : i * k + k] for i in range(n)])
    right = rng.normal(size=(n, k, 2))
    expected = np.linalg.solve(dense, right.reshape(n * k, 2)).reshape(n, k, 2)
    np.testing.assert_allclose(
        solve_block_tridiagonal(diagonal, upper, right), expected, rtol=1e-6, atol=1e-8
    )


@given(st.integers(0, 2**32 - 1), st.integers(3, 40), st.floats(0.3, 10))
@settings(max_examples=30)
def test_equals_penalised_least_squares_written_out(seed, frames, cutoff):
    rng = np.random.default_rng(seed)
    values, times = rng.normal(size=frames), np.arange(frames) / 30
    differences = np.diff(np.eye(frames), 2, axis=0) * 30**2
    penalty = (2 * np.pi * cutoff) ** -4 * differences.T @ differences
    expected = np.linalg.solve(np.eye(frames) + penalty, values)
    np.testing.assert_allclose(whittaker(values, times, cutoff), expected, atol=1e-6)


def test_gain_is_that_of_a_butterworth_filter_run_both_ways():
    values = np.random.default_rng(0).normal(size=600)
    times = np.arange(600) / 60
    expected = sosfiltfilt(butter(2, 3.0, fs=60, output="sos"), values)
    # The bilinear transform of the one warps frequencies a little.
    np.testing.assert_allclose(whittaker(values, times, 3.0)[60:-60], expected[60:-60], atol=0.02)


def test_half_of_the_amplitude_is_left_at_the_cutoff_without_delay():
    times = np.arange(2000) / 100
    wave = np.cos(2 * np.pi * 2.0 * times)
    smooth = whittaker(wave, times, 2.0)
    np.testing.assert_allclose(smooth[500:1500], wave[500:1500] / 2, atol=0.01)


@given(st.integers(0, 2**32 - 1))
def test_a_line_stays_at_uneven_times_and_with_gaps(seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.01, 0.05, size=30))
    values = np.stack([3 * times + 1, -times], axis=1)
    values[rng.random(30) < 0.3, 0] = np.nan
    smooth = whittaker(values, times, 1.0)
    np.testing.assert_allclose(smooth, values, atol=1e-5)


def test_weights_decide():
    values, times = np.zeros(21), np.arange(21) / 30
    values[10] = 1.0
    weights = np.ones(21)
    weights[10] = 0
    assert abs(whittaker(values, times, 2.0, weights)[10]) < 1e-6
    assert whittaker(values, times, 2.0)[10] > 0.1


def test_long_gaps_part_a_clip():
    times = np.arange(300) / 30
    values = np.where(times < 4, 0.0, np.where(times > 6, 5.0, np.nan))
    np.testing.assert_allclose(whittaker(values, times, 0.2), values, atol=1e-6)
    known = np.isfinite(values)
    assert [(s.start, s.stop) for s in spans(known, times)] == [(0, 120), (181, 300)]
    assert spans(np.zeros(5, dtype=bool), times[:5]) == []


def test_short_and_absent_clips():
    np.testing.assert_array_equal(whittaker(np.array([1.0, 5.0]), np.array([0, 0.1]), 1), [1, 5])
    assert np.isnan(whittaker(np.full((9, 2), np.nan), np.arange(9.0), 1.0)).all()
    assert np.isnan(whittaker(np.ones(9), np.arange(9.0), 1.0, np.zeros(9))).all()


def test_long_clips_are_quick():
    values, start = np.random.default_rng(0).normal(size=(50_000, 3)), time.perf_counter()
    whittaker(values, np.arange(50_000) / 30, 1.0)
    assert time.perf_counter() - start < 5


def test_coupled_unknowns():
    """Depth known in one frame only, sideways in all: the path keeps that depth."""
    information = np.zeros((9, 2, 2))
    information[:, 0, 0] = 1
    information[4, 1, 1] = 1
    right = np.zeros((9, 2, 1))
    right[:, 0] = 2
    right[4, 1] = 3
    path = smooth_normal(information, right, np.arange(9) / 30, 1.0)[..., 0]
    np.testing.assert_allclose(path[:, 0], 2, atol=1e-4)
    np.testing.assert_allclose(path[4, 1], 3, atol=1e-4)


@pytest.mark.parametrize("cutoff", [0, -1, np.nan, np.inf])
def test_cutoffs_that_cannot_be(cutoff):
    with pytest.raises(UsageError, match="cutoff"):
        whittaker(np.zeros(5), np.arange(5.0), cutoff)


@pytest.mark.parametrize("times", [[0, 1, 1], [0, 1], [0, np.nan, 2]])
def test_times_that_do_not_fit(times):
    with pytest.raises(DataError, match="times"):
        whittaker(np.zeros(3), np.array(times), 1.0)


def test_weights_that_do_not_fit():
    for weights in (np.ones(4), -np.ones(5)):
        with pytest.raises(DataError, match="weights"):
            whittaker(np.zeros(5), np.arange(5.0), 1.0, weights)


def test_one_euro_smooths_rest_and_follows_movement():
    rng = np.random.default_rng(0)
    times = np.arange(300) / 50
    still = rng.normal(size=(300, 3)) * 0.01
    assert OneEuro().clip(still, times)[50:].std() < 0.5 * still.std()
    moving = 2.0 * times  # 2 m/s
    lag = moving - OneEuro().clip(moving, times)
    assert 0 < lag[-1] < 0.06
    assert lag[-1] < 0.3 * (moving - OneEuro(beta=0).clip(moving, times))[-1]


def test_one_euro_is_causal_and_starts_anew():
    values, times = np.random.default_rng(1).normal(size=(20, 2)), np.arange(20) / 30
    changed = values.copy()
    changed[12:] += 5
    one_euro = OneEuro()
    whole = one_euro.clip(values, times)
    np.testing.assert_array_equal(one_euro.clip(changed, times)[:12], whole[:12])
    np.testing.assert_array_equal(whole[0], values[0])


def test_one_euro_after_a_gap():
    values = np.array([1.0, np.nan, 7.0, 7.0])
    smooth = OneEuro().clip(values, np.arange(4.0))
    np.testing.assert_allclose(smooth, values)  # NaN where it was NaN, fresh afterwards


def test_one_euro_refuses():
    for options in ({"min_cutoff": 0}, {"beta": -1}, {"derivative_cutoff": np.nan}):
        with pytest.raises(UsageError):
            OneEuro(**options)
    one_euro = OneEuro()
    one_euro.push(np.zeros(3), 0.0)
    with pytest.raises(DataError):
        one_euro.push(np.zeros(2), 1.0)
    with pytest.raises(DataError):
        one_euro.push(np.zeros(3), 0.0)

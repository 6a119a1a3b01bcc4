from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.runtime.resample import grid, interpolate, stretches


def test_a_source_at_the_rate_keeps_its_times() -> None:
    times = np.round(3 + np.arange(100) / 50 + 0.0004 * np.sin(np.arange(100)), 3)
    assert grid(times, 50) is times


@pytest.mark.parametrize("fps", [10, 24, 25, 29.97, 30, 60, 120])
def test_grid_covers_the_clip_and_no_more(fps: float) -> None:
    times = np.arange(37) / fps
    regular = grid(times, 50)
    assert np.allclose(np.diff(regular), 0.02)
    assert regular[0] == times[0]
    assert -0.03 * 0.02 - 1e-9 <= regular[-1] - times[-1] < 0.02


def test_one_frame() -> None:
    assert grid(np.array([5.0]), 50).tolist() == [5.0]
    values = np.ones((2, 1, 17, 2), np.float32)
    assert interpolate(values, np.array([5.0]), np.array([0.0, 9.0])).shape == (2, 2, 17, 2)


@given(st.lists(st.floats(0.001, 0.2), min_size=1, max_size=20), st.integers(0, 1000))
def test_interpolation_laws(steps: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum([rng.uniform(-5, 5), *steps])
    values = rng.normal(size=(2, len(times), 3))
    # A frame's own time gives exactly the frame.
    assert np.array_equal(interpolate(values, times, times), values)
    # A straight line comes out as itself, and ends where it ends.
    at = rng.uniform(times[0] - 1, times[-1] + 1, size=30)
    line = (2 * times - 1)[None, :, None]
    expected = 2 * np.clip(at, times[0], times[-1]) - 1
    assert np.allclose(interpolate(line, times, at)[0, :, 0], expected)


@given(st.lists(st.sampled_from([0.1, 1.0, 1.5, 1e7]), max_size=12))
def test_stretches_have_no_gap_and_are_as_long_as_can_be(steps: list[float]) -> None:
    times = np.cumsum([3.0, *steps])
    parts = stretches(times, 1.2)
    assert [t for part in parts for t in times[part]] == times.tolist()
    assert all((np.diff(times[part]) <= 1.2).all() for part in parts)
    assert all(times[part.start] - times[part.start - 1] > 1.2 for part in parts[1:])

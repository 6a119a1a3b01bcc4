"""The filters against their definition, written out for one number."""

from __future__ import annotations

import math

import numpy as np

from poselift.detect.smoothing import LowPass, OneEuro


def one_euro_by_hand(values, times, scale, min_cutoff, beta):
    """Casiez et al. 2012, with the derivative in units of the object's size."""

    def alpha(cutoff, step):
        tau = 1 / (2 * math.pi * cutoff)
        return 1 / (1 + tau / step)

    out, speed = [values[0]], 0.0
    for n in range(1, len(values)):
        step = times[n] - times[n - 1]
        derivative = (values[n] - values[n - 1]) / scale / step
        a = alpha(1.0, step)
        speed = a * derivative + (1 - a) * speed
        a = alpha(min_cutoff + beta * abs(speed), step)
        out.append(a * values[n] + (1 - a) * out[-1])
    return out


def test_one_euro_is_its_definition_for_every_number():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(30, 4, 2)).cumsum(axis=0) * 20
    times = np.cumsum(rng.uniform(0.01, 0.1, 30))
    smooth = OneEuro(0.05, 80.0)
    found = np.array([smooth(v, t, 250.0) for v, t in zip(values, times, strict=True)])
    for index in np.ndindex(4, 2):
        expected = one_euro_by_hand(values[(slice(None), *index)], times, 250.0, 0.05, 80.0)
        np.testing.assert_allclose(found[(slice(None), *index)], expected)


def test_rest_is_calmed_and_motion_is_followed():
    rng = np.random.default_rng(2)
    rest, motion = OneEuro(0.05, 80.0), OneEuro(0.05, 80.0)
    still = [rest(100 + rng.normal(size=1) * 0.2, n / 30, 300.0)[0] for n in range(60)]
    moved = [motion(np.array([10.0 * n]), n / 30, 300.0)[0] for n in range(60)]
    assert np.std(still[20:]) < 0.1
    assert abs(moved[-1] - 590) < 5


def test_a_time_that_stands_still_changes_nothing():
    smooth = OneEuro(0.05, 80.0)
    smooth(np.array([1.0]), 0.0)
    before = smooth(np.array([2.0]), 0.1)
    np.testing.assert_array_equal(smooth(np.array([50.0]), 0.1), before)


def test_low_pass():
    smooth = LowPass(0.1)
    assert smooth(np.array([1.0])) == [1.0]
    np.testing.assert_allclose(smooth(np.array([0.0])), [0.9])
    np.testing.assert_allclose(smooth(np.array([0.0])), [0.81])

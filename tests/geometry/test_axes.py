from __future__ import annotations

import numpy as np

from poselift.geometry.axes import swap_y_up


def test_up_is_up_and_left_stays_left():
    right, down, forward = np.eye(3)
    np.testing.assert_array_equal(swap_y_up(-down), [0, 1, 0])
    np.testing.assert_array_equal(swap_y_up(right), right)
    np.testing.assert_array_equal(swap_y_up(-forward), [0, 0, 1])  # towards the camera
    turn = swap_y_up(np.eye(3))
    assert np.linalg.det(turn) == 1  # no mirror
    points = np.random.default_rng(0).normal(size=(2, 5, 3))
    np.testing.assert_array_equal(swap_y_up(swap_y_up(points)), points)

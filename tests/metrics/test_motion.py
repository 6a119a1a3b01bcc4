"""Jitter and sliding feet."""

from __future__ import annotations

import numpy as np
import pytest

from poselift.errors import DataError
from poselift.metrics.motion import acceleration, foot_skate
from poselift.skeleton import H36M_17


def test_acceleration_of_a_fall():
    times = np.arange(5.0)
    joints = np.zeros((5, 17, 3))
    joints[..., 2] = -0.5 * 0.01 * times[:, None] ** 2
    np.testing.assert_allclose(acceleration(joints), 0.01)
    assert acceleration(joints[None]).shape == (1, 3)
    assert acceleration(joints[:2]).shape == (0,)
    with pytest.raises(DataError):
        acceleration(joints[0])


def test_way_of_a_standing_foot():
    joints = np.zeros((1, 4, 17, 3))
    joints[0, :, H36M_17.index("left_ankle"), 0] = [0, 0.003, 0.006, 1.0]
    joints[0, :, H36M_17.index("right_ankle"), 2] = [0, 1, 2, 3]  # up is no sliding
    contacts = np.ones((1, 4, 2), dtype=bool)
    contacts[0, 3, 0] = False
    skate = foot_skate(joints, contacts)
    np.testing.assert_allclose(skate[0, :, 0], [0.003, 0.003, np.nan])
    np.testing.assert_allclose(skate[0, :, 1], 0)
    with pytest.raises(DataError):
        foot_skate(joints, contacts[:, 1:])

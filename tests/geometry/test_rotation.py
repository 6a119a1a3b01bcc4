from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from poselift.geometry.rotation import rotation_about


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_equals_scipy(axis):
    angles = np.linspace(-7, 7, 12).reshape(3, 4)
    expected = Rotation.from_euler(axis, angles.reshape(-1, 1)).as_matrix().reshape(3, 4, 3, 3)
    np.testing.assert_allclose(rotation_about(axis, angles), expected, atol=1e-12)

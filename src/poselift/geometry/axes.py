"""The axes of animation programs, Y up, against those of a camera."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]


def swap_y_up(points: npt.ArrayLike) -> FloatArray:
    """Camera axes (x right, y down, z forward) to x right, Y up, z towards the camera, or back.

    Half a turn about x: it is its own inverse, and left stays left. Whoever faces the camera
    faces +z, as BVH, glTF and OpenSim's viewers expect.

    Args:
        points: (..., 3) in any unit.

    >>> swap_y_up([1.0, 2.0, 3.0]).tolist()
    [1.0, -2.0, -3.0]
    """
    out: FloatArray = np.asarray(points, dtype=np.float64) * np.array([1.0, -1.0, -1.0])
    return out

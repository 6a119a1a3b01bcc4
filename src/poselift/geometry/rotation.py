"""Rotation matrices about the axes of a frame."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]


def rotation_about(axis: Literal["x", "y", "z"], angle: npt.ArrayLike) -> FloatArray:
    """Right-handed rotations about one axis.

    Args:
        axis: of the frame.
        angle: (...) radians.

    Returns:
        (..., 3, 3), to be multiplied with column vectors.

    >>> import numpy as np
    >>> (rotation_about("z", np.pi / 2) @ [1.0, 0, 0]).round(6).tolist()
    [0.0, 1.0, 0.0]
    """
    angle = np.asarray(angle, dtype=np.float64)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    out = np.zeros((*angle.shape, 3, 3)) + np.eye(3)
    out[..., i, i] = out[..., j, j] = np.cos(angle)
    out[..., j, i] = np.sin(angle)
    out[..., i, j] = -out[..., j, i]
    return out

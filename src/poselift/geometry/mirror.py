"""Mirror a person: left becomes right, in the image and in space."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.skeleton import H36M_17, Skeleton

FloatArray = npt.NDArray[np.floating[Any]]


def mirror_keypoints(
    keypoints: FloatArray, width: float, skeleton: Skeleton = H36M_17
) -> FloatArray:
    """Mirror 2D joints (..., J, 2), pixels, in an image ``width`` pixels wide: x -> width - x.

    Left and right joints swap, so that the result is again a person; twice is the identity. What
    stands behind x and y, such as a confidence, goes with its joint.
    """
    out = keypoints[..., list(skeleton.mirror_indices), :]
    out[..., 0] = width - out[..., 0]
    return out


def mirror_joints(joints: FloatArray, skeleton: Skeleton = H36M_17) -> FloatArray:
    """Mirror 3D joints (..., J, 3), camera frame: x -> -x, and left and right joints swap."""
    out = joints[..., list(skeleton.mirror_indices), :]
    out[..., 0] *= -1
    return out

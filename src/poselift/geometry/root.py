"""Where the person stands: the root in the camera frame, in metres.

A lifter gives joints relative to the root. With the camera's intrinsics there is one shift under
which they project onto the 2D joints they were lifted from, and it follows from linear least
squares: joint (X, Y, Z) shifted by (x, y, z) is seen at screen direction (p, q) if
X + x = p (Z + z) and Y + y = q (Z + z).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError

FloatArray = npt.NDArray[np.floating[Any]]

FOCAL_PER_SIDE = 1.145
"""Default focal length as a multiple of the longer side of the image.

The camera of the benchmark protocol (1145 pixels for 1000), about that of Human3.6M: a field of
view of 47 degrees. Phones are near 0.8; the depth found scales with this number.
"""

# Variance of the directions under which no distance can be told: a person of 0.001 px in 1000.
_POINT = 1e-12

# Frames at a time: the sums take 2 kB a frame, which is much in an hour of video.
_CHUNK = 4096


def default_focal(image_size: tuple[int, int]) -> float:
    """Focal length in pixels to assume for a camera of which only (width, height) is known.

    >>> default_focal((1000, 562))
    1145.0
    """
    return FOCAL_PER_SIDE * max(image_size)


def solve_root(
    joints: FloatArray,
    keypoints: FloatArray,
    focal: npt.ArrayLike,
    centre: npt.ArrayLike,
    weights: FloatArray | None = None,
) -> npt.NDArray[np.float64]:
    """Position of the root for which the joints project nearest to the keypoints.

    Each frame is solved on its own, in closed form. Joints that are NaN in 2D or 3D do not count.

    Args:
        joints: (..., T, J, 3) relative to the root, metres, camera frame.
        keypoints: (..., T, J, 2) pixels.
        focal: (2,) or one number, pixels.
        centre: (2,) principal point, pixels.
        weights: (..., T, J) such as scores, not negative; 1 if not given. Where all are 0 in a
            frame, they tell nothing, and its joints count alike.

    Returns:
        (..., T, 3) metres, camera frame. NaN where fewer than two joints count, where they all
        fall into one point of the image, and where the root would be at or behind the camera.

    Raises:
        DataError: shapes that do not fit together, or a focal length that is not positive.
    """
    joints, keypoints = np.asarray(joints), np.asarray(keypoints)
    focal, centre = np.asarray(focal, dtype=np.float64), np.asarray(centre, dtype=np.float64)
    frames = joints.shape[:-1]  # (..., T, J)
    if joints.shape != (*frames, 3) or keypoints.shape != (*frames, 2) or len(frames) < 1:
        raise DataError(
            f"joints of shape {joints.shape} and keypoints of shape {keypoints.shape}",
            "(..., T, J, 3) and (..., T, J, 2)",
        )
    if not (focal > 0).all():
        raise DataError(f"focal length of {focal.tolist()}", "a positive number of pixels")
    w = np.broadcast_to(1.0, frames) if weights is None else np.asarray(weights)
    if w.shape != frames:
        raise DataError(f"weights of shape {w.shape}", f"{frames}, as the joints")
    count, num_joints = math.prod(frames[:-1]), frames[-1]
    xyz = joints.reshape(count, num_joints, 3)
    uv, w = keypoints.reshape(count, num_joints, 2), w.reshape(count, num_joints)
    root = np.empty((count, 3))
    for start in range(0, count, _CHUNK):
        part = slice(start, start + _CHUNK)
        root[part] = _solve(xyz[part], (uv[part] - centre) / focal, w[part])
    return root.reshape(*frames[:-1], 3)


def _solve(joints: FloatArray, pq: FloatArray, w: FloatArray) -> npt.NDArray[np.float64]:
    """(T, 3) roots from joints (T, J, 3), directions (T, J, 2) and weights (T, J)."""
    joints = joints.astype(np.float64)
    present = np.isfinite(joints).all(-1) & np.isfinite(pq).all(-1)
    seen = present & (w > 0)
    some = seen.any(axis=-1, keepdims=True)
    seen, w = np.where(some, seen, present), np.where(some, np.where(seen, w, 0.0), present)
    joints = np.where(seen[..., None], joints, 0.0)
    pq = np.where(seen[..., None], pq, 0.0)

    # Per joint: xy - pq z = rhs. Taking weighted means out leaves one unknown, z.
    rhs = pq * joints[..., 2:] - joints[..., :2]
    total = w.sum(axis=-1)  # (T,)
    share = (w / np.where(total > 0, total, 1.0)[..., None])[..., None]
    mean_pq, mean_rhs = (share * pq).sum(axis=-2), (share * rhs).sum(axis=-2)
    spread_pq = pq - mean_pq[..., None, :]
    variance = (share * spread_pq**2).sum(axis=(-2, -1))
    covariance = (share * spread_pq * rhs).sum(axis=(-2, -1))
    known = variance > _POINT  # never so with fewer than two joints
    z = -covariance / np.where(known, variance, 1.0)
    root = np.concatenate([mean_rhs + mean_pq * z[..., None], z[..., None]], axis=-1)
    return np.where((known & (z > 0))[..., None], root, np.nan)

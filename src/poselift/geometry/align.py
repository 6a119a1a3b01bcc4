"""Lay one set of points on another: rotation, shift and scale (Procrustes).

Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point
patterns", TPAMI 1991. The rotation is proper: a mirrored pose is not laid on its image.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError

FloatArray = npt.NDArray[np.floating[Any]]

# Poses come as float32 with 1e-7 of relative error; below this a direction is rounding, not shape.
_DEGENERATE = 1e-6


class Similarity(NamedTuple):
    """Scale, proper rotation and shift: ``y = scale * rotation @ x + shift``.

    ``scale`` (...), ``rotation`` (..., 3, 3), ``shift`` (..., 3); NaN where undefined.
    """

    scale: FloatArray
    rotation: FloatArray
    shift: FloatArray

    def apply(self, points: FloatArray) -> FloatArray:
        """Transform points (..., J, 3)."""
        turned = points @ self.rotation.swapaxes(-1, -2)
        moved: FloatArray = self.scale[..., None, None] * turned + self.shift[..., None, :]
        return moved


def procrustes(source: FloatArray, target: FloatArray) -> Similarity:
    """The similarity that brings ``source`` nearest to ``target`` in the sense of least squares.

    It is NaN for every pose where it is undefined: a point that is not finite, all points in one
    place, or all on one line (any turn around that line is as good).

    Args:
        source: (..., J, 3) points.
        target: (..., J, 3) points, in the same order.

    Raises:
        DataError: shapes that differ or do not end in (J, 3).
    """
    source, target = checked_pair(source, target)
    shape = source.shape[:-2]
    source, target = (a.reshape(-1, *a.shape[-2:]) for a in (source, target))
    known = np.asarray(np.isfinite(source + target).all(axis=(1, 2)), dtype=np.bool_)
    # The factorisation refuses NaN: give it zeros, and take the result away at the end.
    source, target = (np.where(known[:, None, None], a, 0.0) for a in (source, target))

    mean_s, mean_t = source.mean(axis=1), target.mean(axis=1)
    x, y = source - mean_s[:, None], target - mean_t[:, None]
    size_x, size_y = (np.linalg.norm(a, axis=(1, 2)) for a in (x, y))
    for size, points in ((size_x, source), (size_y, target)):
        known &= size > _DEGENERATE * np.abs(points).max(axis=(1, 2), initial=0.0)
    size_x, size_y = (np.where(known, size, 1.0) for size in (size_x, size_y))
    x, y = x / size_x[:, None, None], y / size_y[:, None, None]

    u, s, vt = np.linalg.svd(x.swapaxes(1, 2) @ y)  # x.T @ y = u s vt, rotation = v u.T
    known &= s[:, 1] > _DEGENERATE * s[:, 0]
    v, ut = vt.swapaxes(1, 2), u.swapaxes(1, 2)
    sign = np.sign(np.linalg.det(v @ ut))  # -1: the best orthogonal matrix would mirror
    v = np.concatenate([v[..., :2], v[..., 2:] * sign[:, None, None]], axis=-1)
    s = np.concatenate([s[:, :2], s[:, 2:] * sign[:, None]], axis=-1)

    rotation = v @ ut
    scale = s.sum(axis=1) * size_y / size_x
    shift = mean_t - scale[:, None] * np.einsum("nij,nj->ni", rotation, mean_s)
    return Similarity(
        np.where(known, scale, np.nan).reshape(shape),
        np.where(known[:, None, None], rotation, np.nan).reshape(*shape, 3, 3),
        np.where(known[:, None], shift, np.nan).reshape(*shape, 3),
    )


def align(source: FloatArray, target: FloatArray) -> FloatArray:
    """``source`` (..., J, 3) laid on ``target`` (..., J, 3); NaN poses where undefined.

    See `procrustes`.
    """
    source, target = checked_pair(source, target)
    return procrustes(source, target).apply(source)


def checked_pair(
    first: npt.ArrayLike, second: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Two sets of points of equal shape (..., J, 3), J >= 1, as float64, NaN where not finite.

    Raises:
        DataError: shapes that differ or do not end in (J, 3).
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim < 2 or a.shape[-1] != 3 or a.shape[-2] == 0:
        raise DataError(f"points of shape {a.shape} and {b.shape}", "two equal shapes (..., J, 3)")
    return np.where(np.isfinite(a), a, np.nan), np.where(np.isfinite(b), b, np.nan)

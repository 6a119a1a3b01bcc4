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


def rotation_around(axis: FloatArray, angle: npt.ArrayLike) -> FloatArray:
    """Right-handed rotations about any axes (Rodrigues).

    Args:
        axis: (..., 3) unit vectors.
        angle: (...) radians.

    Returns:
        (..., 3, 3).
    """
    axis, angle = np.asarray(axis, dtype=np.float64), np.asarray(angle, dtype=np.float64)
    cross = cross_matrix(axis)
    sine, cosine = np.sin(angle)[..., None, None], np.cos(angle)[..., None, None]
    out: FloatArray = np.eye(3) + sine * cross + (1 - cosine) * (cross @ cross)
    return out


def cross_matrix(vectors: FloatArray) -> FloatArray:
    """Matrices (..., 3, 3) that take the cross product with vectors (..., 3) from the left."""
    out = np.zeros((*vectors.shape, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        out[..., k, j] = vectors[..., i]
        out[..., j, k] = -vectors[..., i]
    return out


def shortest_arc(source: FloatArray, target: FloatArray) -> FloatArray:
    """The smallest rotations that take unit vectors to others.

    Args:
        source: (..., 3) unit vectors.
        target: (..., 3) unit vectors.

    Returns:
        (..., 3, 3); for opposite vectors half a turn about some axis across them.

    >>> import numpy as np
    >>> (shortest_arc(np.array([1.0, 0, 0]), np.array([0, 1.0, 0])) @ [1.0, 0, 0]).round(6).tolist()
    [0.0, 1.0, 0.0]
    """
    source, target = np.broadcast_arrays(source, target)
    cosine = (source * target).sum(axis=-1)[..., None, None]
    cross = cross_matrix(np.cross(source, target))
    opposite = cosine < -1 + 1e-9
    out = np.eye(3) + cross + cross @ cross / np.where(opposite, 1.0, 1 + cosine)
    across = normalise_vectors(np.cross(source, np.eye(3)[np.abs(source).argmin(axis=-1)]))
    half_turn = 2 * across[..., :, None] * across[..., None, :] - np.eye(3)
    return np.where(opposite, half_turn, out)


def normalise_vectors(vectors: FloatArray) -> FloatArray:
    """Unit vectors (..., 3); NaN where a vector has no length that could be told from none."""
    vectors = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: FloatArray = vectors / np.where(length > 1e-9, length, np.nan)
    return unit


def frame_of(primary: FloatArray, secondary: FloatArray, axes: str) -> FloatArray:
    """Rotations whose one axis is given, and another lies as near to a direction as it can.

    Args:
        primary: (..., 3) where the first of ``axes`` points.
        secondary: (..., 3) where the second of ``axes`` points as far as it can.
        axes: ``"xy"`` or ``"yx"``.

    Returns:
        (..., 3, 3) with the axes as columns; NaN where the two directions lie on one line.
    """
    first = normalise_vectors(primary)
    second = normalise_vectors(secondary)
    second = normalise_vectors(second - (second * first).sum(axis=-1, keepdims=True) * first)
    x, y = (first, second) if axes == "xy" else (second, first)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def to_euler_zxy(rotation: FloatArray) -> FloatArray:
    """Angles (..., 3) about z, x, y with ``rotation = Z(a) @ X(b) @ Y(c)``, radians.

    b lies within a quarter turn; where it is a quarter turn, c is 0.
    """
    r = rotation
    level = np.hypot(r[..., 2, 0], r[..., 2, 2])
    b = np.arctan2(r[..., 2, 1], level)
    locked = level < 1e-9
    a = np.where(
        locked,
        np.arctan2(r[..., 1, 0], r[..., 0, 0]),
        np.arctan2(-r[..., 0, 1], r[..., 1, 1]),
    )
    c = np.where(locked, 0.0, np.arctan2(-r[..., 2, 0], r[..., 2, 2]))
    return np.stack([a, b, c], axis=-1)


def unwrap_euler(angles: FloatArray) -> FloatArray:
    """The same rotations by angles that do not jump from frame to frame.

    Args:
        angles: (T, ..., 3) radians, of three different axes in any order.

    Returns:
        (T, ..., 3): of the two sets of angles of a rotation, and whole turns more or less, each
        frame has the one nearest to the frame before.
    """
    out = np.array(angles, dtype=np.float64)
    turn = 2 * np.pi
    for t in range(1, len(out)):
        # Up to whole turns there is one other set: a + pi, pi - b, c + pi.
        both = np.stack([out[t], out[t] * [1, -1, 1] + np.pi])
        both -= turn * np.round((both - out[t - 1]) / turn)
        distance = np.abs(both - out[t - 1]).sum(axis=-1, keepdims=True)
        out[t] = np.where(distance[0] <= distance[1], both[0], both[1])
    return out


def to_quaternion(rotation: FloatArray) -> FloatArray:
    """Unit quaternions (..., 4) as (x, y, z, w) of rotation matrices (..., 3, 3)."""
    r = rotation
    # Each of the four columns below is the quaternion times four times one of its components;
    # the one of the largest component is the exact one.
    trace = np.trace(r, axis1=-2, axis2=-1)
    table = np.zeros((*r.shape[:-2], 4, 4))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        table[..., i, i] = 1 + 2 * r[..., i, i] - trace
        table[..., i, j] = table[..., j, i] = r[..., i, j] + r[..., j, i]
        table[..., i, 3] = table[..., 3, i] = r[..., k, j] - r[..., j, k]
    table[..., 3, 3] = 1 + trace
    largest = np.diagonal(table, axis1=-2, axis2=-1).argmax(axis=-1)[..., None, None]
    out = np.take_along_axis(table, largest, axis=-2)[..., 0, :]
    out /= np.linalg.norm(out, axis=-1, keepdims=True)
    return out


def from_quaternion(quaternion: FloatArray) -> FloatArray:
    """Rotation matrices (..., 3, 3) of quaternions (..., 4) as (x, y, z, w) of any length but 0."""
    q = np.asarray(quaternion, dtype=np.float64)
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    cross, w = cross_matrix(q[..., :3]), q[..., 3, None, None]
    out: FloatArray = np.eye(3) + 2 * w * cross + 2 * cross @ cross
    return out

"""A pinhole camera.

Frames: world with z up; camera with x right, y down, z forward; pixels with the origin at the
top left, x right, y down. Metres and pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import UsageError

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera without distortion.

    Args:
        rotation: (3, 3) world -> camera; its rows are the camera's right, down and forward axes
            in the world frame.
        position: (3,) centre of the camera in the world, metres.
        focal: (2,) or one number, focal length in x and y, pixels.
        centre: (2,) principal point, pixels.
        width: of the image, pixels.
        height: of the image, pixels.

    Raises:
        UsageError: wrong shape, a rotation that is not orthonormal or that mirrors, or a focal
            length or size that is not positive.

    >>> import numpy as np
    >>> camera = Camera.look_at((0, -5, 1), (0, 0, 1), focal=1000, width=640, height=480)
    >>> camera.project(camera.world_to_camera(np.array([1.0, 0, 1]))).tolist()
    [520.0, 240.0]
    """

    rotation: FloatArray
    position: FloatArray
    focal: FloatArray
    centre: FloatArray
    width: int
    height: int

    def __post_init__(self) -> None:
        rotation = _array(self.rotation, (3, 3), "rotation")
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-5) or (
            np.linalg.det(rotation) < 0
        ):
            raise UsageError("a camera rotation that is not a rotation", "orthonormal, det +1")
        focal = _array(np.broadcast_to(self.focal, (2,)), (2,), "focal length")
        if (focal <= 0).any() or not (self.width > 0 and self.height > 0):
            raise UsageError(
                f"a camera with focal length {focal.tolist()}, image {self.width} x {self.height}",
                "positive numbers",
            )
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "position", _array(self.position, (3,), "position"))
        object.__setattr__(self, "focal", focal)
        object.__setattr__(self, "centre", _array(self.centre, (2,), "principal point"))

    @classmethod
    def look_at(
        cls,
        position: npt.ArrayLike,
        target: npt.ArrayLike,
        *,
        focal: npt.ArrayLike,
        width: int,
        height: int,
        centre: npt.ArrayLike | None = None,
    ) -> Camera:
        """Camera at ``position`` looking at ``target``, without roll: its x axis is horizontal.

        Args:
            position: (3,) metres, world.
            target: (3,) metres, world.
            focal: (2,) or one number, pixels.
            width: of the image, pixels.
            height: of the image, pixels.
            centre: (2,) principal point, pixels; the middle of the image if not given.

        Raises:
            UsageError: the camera would look straight up or down, or at itself.
        """
        return cls(
            rotation=look_at_rotation(position, target),
            position=np.asarray(position, dtype=np.float64),
            focal=np.asarray(focal, dtype=np.float64),
            centre=np.asarray(
                (width / 2, height / 2) if centre is None else centre, dtype=np.float64
            ),
            width=width,
            height=height,
        )

    def world_to_camera(self, points: FloatArray) -> FloatArray:
        """World points (..., 3) in the camera frame (..., 3), metres."""
        return (points - self.position) @ self.rotation.T

    def camera_to_world(self, points: FloatArray) -> FloatArray:
        """Camera points (..., 3) in the world frame (..., 3), metres."""
        return points @ self.rotation + self.position

    def project(self, points: FloatArray) -> FloatArray:
        """Camera points (..., 3), metres, to pixels (..., 2); NaN at and behind the camera."""
        return project(points, self.focal, self.centre)

    def unproject(self, pixels: FloatArray, depth: npt.ArrayLike) -> FloatArray:
        """Pixels (..., 2) at ``depth`` (...) along z, metres, to camera points (..., 3)."""
        z = np.asarray(depth, dtype=np.float64)[..., None]
        xy = (pixels - self.centre) / self.focal * z
        return np.concatenate([xy, np.broadcast_to(z, (*xy.shape[:-1], 1))], axis=-1)


def look_at_rotation(position: npt.ArrayLike, target: npt.ArrayLike) -> FloatArray:
    """World -> camera rotations (..., 3, 3) of cameras that look at a target without roll.

    Args:
        position: (..., 3) camera centres, metres, world (z up).
        target: (..., 3) what they look at.

    Raises:
        UsageError: a camera would look straight up or down, or at itself; its roll is undefined.
    """
    forward = np.asarray(target, dtype=np.float64) - np.asarray(position, dtype=np.float64)
    # right = forward x up, up = (0, 0, 1)
    right = np.stack([forward[..., 1], -forward[..., 0], np.zeros(forward.shape[:-1])], axis=-1)
    span = np.linalg.norm(right, axis=-1, keepdims=True)
    if not (span > 1e-9).all():
        raise UsageError("a camera that looks straight up or down", "a direction with a heading")
    right = right / span
    forward = forward / np.linalg.norm(forward, axis=-1, keepdims=True)
    return np.stack([right, np.cross(forward, right), forward], axis=-2)


def project(points: FloatArray, focal: npt.ArrayLike, centre: npt.ArrayLike) -> FloatArray:
    """Project points in the camera frame to pixels, without distortion.

    Args:
        points: (..., 3) metres, camera frame, z forward.
        focal: (2,) or one number, pixels.
        centre: (2,) principal point, pixels.

    Returns:
        (..., 2) pixels, origin top left; NaN for points at or behind the camera (z <= 0).
    """
    depth = points[..., 2:]
    depth = np.where(depth > 0, depth, np.nan)
    pixels: FloatArray = points[..., :2] / depth * np.asarray(focal) + np.asarray(centre)
    return pixels


def _array(value: npt.ArrayLike, shape: tuple[int, ...], what: str) -> FloatArray:
    out = np.array(value, dtype=np.float64)
    if out.shape != shape or not np.isfinite(out).all():
        raise UsageError(f"a camera {what} of shape {out.shape}", f"{shape}, finite numbers")
    return out

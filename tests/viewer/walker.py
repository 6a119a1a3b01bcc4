"""A small made-up walker, enough to look at."""

from __future__ import annotations

from typing import Any

import numpy as np

from poselift.poses import Pose3D

# Standing, metres from the pelvis: x right, y down, z forward; the person faces the camera,
# so that the right side is on the left of the image.
_STAND = np.array(
    [
        (0, 0, 0), (-0.12, 0, 0), (-0.13, 0.42, 0), (-0.13, 0.84, 0),
        (0.12, 0, 0), (0.13, 0.42, 0), (0.13, 0.84, 0),
        (0, -0.24, 0), (0, -0.48, 0), (0, -0.58, -0.04), (0, -0.7, 0),
        (0.16, -0.46, 0), (0.2, -0.2, 0), (0.21, 0.04, 0),
        (-0.16, -0.46, 0), (-0.2, -0.2, 0), (-0.21, 0.04, 0),
    ]
)  # fmt: skip
_SWING = np.array([0, 0, 1, 2.2, 0, -1, -2.2, 0, 0, 0, 0, 0, 0.7, 1.6, 0, -0.7, -1.6])


def walker(persons: int = 1, frames: int = 60, rooted: bool = True, **fields: Any) -> Pose3D:
    """Persons who swing arms and legs, one second to a step pair, at 30 fps."""
    phase = np.sin(2 * np.pi * np.arange(frames) / 30)
    joints = np.tile(_STAND, (persons, frames, 1, 1))
    joints[..., 2] += 0.16 * phase[:, None] * _SWING
    root = np.zeros((persons, frames, 3))
    root[..., 0] = 1.2 * np.arange(persons)[:, None] + np.linspace(-0.4, 0.4, frames)
    root[..., 2] = 4 + 0.5 * np.arange(persons)[:, None]
    placed = joints + root[:, :, None]
    pixels = 1000 * placed[..., :2] / placed[..., 2:] + (640, 360)
    return Pose3D(
        joints,
        root if rooted else None,
        fields.pop("keypoints", pixels),
        fps=30.0,
        meta={"model": "walker", "weights_licence": "MIT", **fields.pop("meta", {})},
        **fields,
    )

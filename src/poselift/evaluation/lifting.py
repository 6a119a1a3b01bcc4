"""Anything that lifts, asked for the joints of a clip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.data.clips import PairedClip
from poselift.errors import DataError
from poselift.geometry.mirror import mirror_joints, mirror_keypoints
from poselift.poses import Pose2D, Pose3D
from poselift.skeleton import H36M_17

FloatArray = npt.NDArray[np.floating[Any]]

Lift = Callable[[Pose2D], Pose3D]
"""Anything that lifts, such as ``Lifter().lift``."""

HOW = ("network", "window", "network_fps", "windows", "stride", "repair", "confidence")
"""Of a result's ``meta``: what an error depends on beside the weights."""


class Watched:
    """A lifter, and how it lifted as its first result's ``meta`` says.

    Attributes:
        how: the keys `HOW`, ``None`` for those that the lifter does not say; ``source_fps``; and
            ``scores``, whether the clip has scores that differ.
    """

    def __init__(self, lift: Lift) -> None:
        self._lift = lift
        self.how: dict[str, Any] = {}

    def __call__(self, pose: Pose2D) -> Pose3D:
        """What the lifter gives."""
        lifted = self._lift(pose)
        if not self.how:
            self.how = {key: lifted.meta.get(key) for key in HOW}
            self.how |= {"source_fps": pose.fps, "scores": bool(np.ptp(pose.scores) > 0)}
        return lifted


def predict(
    lift: Lift,
    keypoints: FloatArray,
    *,
    fps: float,
    image_size: tuple[int, int],
    source: str,
    scores: FloatArray | None = None,
    flip: bool = False,
) -> FloatArray:
    """Joints (P, T, 17, 3) as the lifter gives them, float64; nothing is subtracted.

    Args:
        lift: asked once, and once more for the mirrored input with ``flip``.
        keypoints: (P, T, 17, 2) pixels, joints of ``h36m-17``.
        fps: frames per second.
        image_size: (width, height) in pixels.
        source: name of the clip, for messages and for the lifter.
        scores: (P, T, 17); ``None`` for 1.
        flip: average with the mirrored prediction of the mirrored input.

    Raises:
        DataError: the lifter gives other persons, frames or joints than it got.
    """

    def once(keypoints: FloatArray, scores: Any) -> FloatArray:
        pose = Pose2D(
            keypoints, scores, skeleton=H36M_17, fps=fps, image_size=image_size, source=source
        )
        return _checked(lift(pose), (*keypoints.shape[:-1], 3), source)

    joints = once(keypoints, scores)
    if not flip:
        return joints
    mirrored = scores if scores is None else scores[..., list(H36M_17.mirror_indices)]
    other = once(mirror_keypoints(keypoints, image_size[0]), mirrored)
    mean: FloatArray = (joints + mirror_joints(other)) / 2
    return mean


def predict_clip(lift: Lift, clip: PairedClip, flip: bool, fps: float | None = None) -> FloatArray:
    """Joints (T, 17, 3) of a clip as the lifter gives them, float64.

    ``fps`` stands for the clip's own rate if given; errors as `predict`.
    """
    joints: FloatArray = predict(
        lift,
        clip.keypoints[None],
        fps=clip.fps if fps is None else fps,
        image_size=clip.image_size,
        source=clip.name,
        scores=None if clip.scores is None else clip.scores[None],
        flip=flip,
    )[0]
    return joints


def _checked(lifted: Pose3D, shape: tuple[int, ...], source: str) -> FloatArray:
    if lifted.skeleton.joints != H36M_17.joints:
        raise DataError(f"{source}: the lifter gave joints of {lifted.skeleton.name}", H36M_17.name)
    if lifted.joints.shape != shape:
        raise DataError(
            f"{source}: the lifter gave joints of shape {lifted.joints.shape}",
            f"{shape}, persons and frames as they came in",
        )
    joints: FloatArray = lifted.joints.astype(np.float64)
    return joints

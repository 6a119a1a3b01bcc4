"""A person's joints as an animated skeleton, and what had to be made up for it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from poselift.geometry.kinematics import Animation, fit, present
from poselift.poses import FloatArray, Pose3D


def animate(
    pose: Pose3D,
    joints: npt.NDArray[np.float64],
    person: int,
    times: FloatArray | None = None,
) -> tuple[Animation, list[str]]:
    """The skeleton of constant bones that follows one person, and notes for the user.

    Args:
        pose: whose skeleton and fps these are.
        joints: (T, 17, 3) metres, Y up; NaN where absent.
        person: index, for the notes.
        times: (T,) seconds of the frames, where they are not even.

    Raises:
        UsageError: joints other than those of ``h36m-17``.
    """
    animation = fit(joints, pose.fps, pose.skeleton, times)
    notes = []
    known = present(joints)  # (T, J)
    frames, count = len(known), known.sum(axis=1)
    gone = int((count == 0).sum())
    part = int(((count > 0) & (count < known.shape[1])).sum())
    track = pose.track_ids[person]
    if gone:
        notes.append(f"person {track}: absent in {gone} of {frames} frames, interpolated")
    if part:
        notes.append(f"person {track}: some joints interpolated in {part} of {frames} frames")
    distance = np.linalg.norm(animation.joints - joints, axis=-1)[known]
    if distance.max(initial=0.0) > 0.001:
        notes.append(
            f"person {track}: bones made constant, joints moved by "
            f"{1000 * distance.mean():.0f} mm on average, {1000 * distance.max():.0f} mm at most"
        )
    return animation, notes

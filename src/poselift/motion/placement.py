"""Poses put where animation programs show them: Y up, metres, everyone at a place in the world."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.geometry.axes import swap_y_up
from poselift.geometry.kinematics import interpolate_gaps, present
from poselift.geometry.rotation import frame_of
from poselift.geometry.world import camera_up
from poselift.poses import Pose3D

FloatArray = npt.NDArray[np.floating[Any]]

_APART = 1.2  # metres between persons whose place is unknown


@dataclass(frozen=True, eq=False)
class Placed:
    """Joints in a Y-up world.

    Args:
        joints: (P, T, J, 3) metres, x right, Y up, z towards the camera; NaN where absent.
        notes: what was assumed, for the user.
        room_known: whether ``meta`` says how the camera stood, so that y = 0 is the floor.
    """

    joints: npt.NDArray[np.float64]
    notes: tuple[str, ...]
    room_known: bool


def place(pose: Pose3D) -> Placed:
    """Put the persons of ``pose`` into a Y-up world.

    If ``pose.meta`` says how the camera stood in the room (``world``, see
    `poselift.geometry.world.place`), up is against gravity and the floor is y = 0, below the
    camera x = z = 0. Else the camera is taken as level, and is the origin.

    The root trajectory is used where it is known, and interpolated where it has gaps. Whoever has
    none stands at the origin (the next such person 1.2 m to the right, and so on) with the lowest
    ankle on the floor, y = 0; the notes say who.
    """
    room = _level(pose.meta.get("world"))
    turn, height = room or (np.eye(3), 0.0)
    relative = swap_y_up(pose.joints) @ turn.T
    seen = present(relative).sum(axis=-1) > 0  # (P, T)
    root = swap_y_up(pose.root) @ turn.T + [0.0, height, 0.0]
    notes, strangers = [], 0
    for p, track in enumerate(pose.track_ids):
        if not seen[p].any():
            continue
        known = present(root[p])
        if not (known & seen[p]).any():
            root[p] = _on_the_floor(relative[p], pose.skeleton.joints, pose.times)
            root[p, :, 0] = _APART * strangers
            strangers += 1
            where = "the origin" if strangers == 1 else f"x = {root[p, 0, 0]:g} m"
            notes.append(f"person {track} stands at {where}: where it stood is not known")
        elif (seen[p] & ~known).any():
            count = int((seen[p] & ~known).sum())
            root[p] = interpolate_gaps(root[p], pose.times)
            notes.append(f"person {track}: place interpolated in {count} of {len(known)} frames")
    return Placed(relative + root[:, :, None], tuple(notes), room is not None)


def even_times(pose: Pose3D, joints: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Joints (P, T, J, 3) at a constant frame rate, for formats that know no other.

    As many frames as ``fps`` gives for the length of the clip; linear between frames, NaN where
    either of them is. Joints whose times are even already come back as they are.
    """
    times = pose.times - pose.times[0]
    frames = len(times)
    if np.abs(times - np.arange(frames) / pose.fps).max() * pose.fps < 0.01:
        return joints
    # Bounded: a wrong fps must not ask for more memory than there is.
    count = int(np.clip(round(times[-1] * pose.fps) + 1, 1, 100 * frames))
    at = np.minimum(np.arange(count) / pose.fps, times[-1])
    after = np.clip(np.searchsorted(times, at), 1, frames - 1)
    share = ((at - times[after - 1]) / (times[after] - times[after - 1]))[:, None, None]
    # A frame that is met exactly must not become NaN by its neighbour.
    first = np.where(share >= 1 - 1e-9, joints[:, after], joints[:, after - 1])
    second = np.where(share <= 1e-9, joints[:, after - 1], joints[:, after])
    return np.asarray(first + np.clip(share, 0, 1) * (second - first))


def _level(world: Any) -> tuple[FloatArray, float] | None:
    """Rotation (3, 3) of Y-up points that makes up true, and the height of the camera, metres.

    ``None`` where ``world`` does not say it.
    """
    keys = ("camera_pitch_degrees", "camera_roll_degrees", "camera_height_m")
    values = [world.get(key) for key in keys] if isinstance(world, dict) else []
    numbers = [float(v) for v in values if isinstance(v, int | float) and math.isfinite(v)]
    if len(numbers) < len(keys) or abs(numbers[0]) > 90:
        return None
    pitch, roll, height = numbers
    up = swap_y_up(camera_up(pitch, roll))
    # Ahead is where the camera looks, -z; if that is straight down, the upper edge of the image.
    back = np.array([0.0, 0.0, 1.0]) if abs(up[2]) < 0.999 else np.array([0.0, -1.0, 0.0])
    up_and_right = frame_of(up, np.cross(up, back), "yx")  # columns: where the new axes point
    return up_and_right.T, height


def _on_the_floor(
    joints: npt.NDArray[np.float64], names: tuple[str, ...], times: FloatArray
) -> npt.NDArray[np.float64]:
    """Root (T, 3) above the origin such that the lowest ankle, or else joint, has y = 0."""
    ankles = [i for i, name in enumerate(names) if name.endswith("ankle")]
    heights = joints[..., 1]
    for which in (ankles, list(range(len(names)))):
        chosen = heights[:, which]
        if np.isfinite(chosen).any():
            lowest = np.where(np.isnan(chosen), np.inf, chosen).min(axis=1, initial=np.inf)
            height = interpolate_gaps(np.where(np.isinf(lowest), np.nan, -lowest)[:, None], times)
            return np.concatenate([0 * height, height, 0 * height], axis=1)
    return np.zeros((len(joints), 3))

"""Where and in which colour a pose is drawn; shared by the page, the strip and the video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from poselift.geometry.axes import swap_y_up
from poselift.motion.placement import place
from poselift.poses import MAX_SIDE, Pose3D
from poselift.skeleton import Skeleton

Side = Literal["left", "right", "middle"]

PALETTE: dict[str, dict[str, Any]] = {
    # Blue against orange stays apart in every common form of colour blindness. Sides keep
    # their colour in all persons; a person's own colour is that of the trunk and the label.
    "light": {
        "left": "#0072b2",
        "right": "#d55e00",
        "persons": ["#4b5563", "#117733", "#882255", "#6b5d00", "#4433aa", "#00736b"],
        "ground": "#f7f8fa",
        "line": "#c9ced6",
        "text": "#1d2430",
    },
    "dark": {
        "left": "#56b4e9",
        "right": "#ff9d4d",
        "persons": ["#c9d1db", "#6fcf8b", "#ee8fc0", "#ddd06a", "#b3a6ff", "#5fd3c8"],
        "ground": "#14181f",
        "line": "#3a424e",
        "text": "#e6eaf0",
    },
}
"""Colours for a light and a dark ground."""

_APART = 1.2  # metres between persons whose place is unknown
_NO_FLOOR = 0.9  # metres below the origin, where nobody stands


@dataclass(frozen=True, eq=False)
class Scene:
    """Poses put where they are drawn.

    Args:
        joints: (P, T, J, 3) metres, x right, y down, z forward; NaN where absent.
        floor: (T,) y of the floor, metres: that of the room where it is known, else the lowest
            ankle around that time.
        placed: whether persons stand where they stood before the camera; else each stands
            still at a place of its own, since the root is not known.
        level: whether the room is known, so that y is true down and the floor lies still.
    """

    joints: npt.NDArray[np.float32]
    floor: npt.NDArray[np.float32]
    placed: bool
    level: bool


def make_scene(pose: Pose3D) -> Scene:
    """Place the persons of ``pose`` side by side, or where their root says if all have one.

    If ``meta`` says how the camera stood in the room (see `poselift.geometry.world.place`),
    y points along gravity and everyone is drawn above the floor of the room.
    """
    seen = np.asarray(np.any(known_points(pose.joints), axis=-1))  # (P, T)
    known = known_points(pose.root)
    present = np.asarray(np.any(seen, axis=1))
    rooted = np.asarray(np.any(known & seen, axis=1))
    placed = bool(present.any() and rooted[present].all())
    room = place(pose)
    level = placed and room.room_known
    if placed:
        joints = swap_y_up(room.joints).astype(np.float32)
    else:
        rank = np.cumsum(present) - 1
        across = _APART * (rank - (present.sum() - 1) / 2)  # (P,)
        joints = pose.joints + np.stack([across, 0 * across, 0 * across], axis=-1)[:, None, None]
        joints = joints.astype(np.float32)
    joints[~known_points(joints)] = np.nan  # a joint is there with all coordinates or not at all
    if level:
        floor = np.zeros(pose.num_frames, dtype=np.float32)
    else:
        floor = _floor(joints, pose.skeleton, pose.fps)
    return Scene(joints, floor, placed, level)


@dataclass(frozen=True, eq=False)
class Framing:
    """What a camera must look at to have everybody in sight.

    Args:
        middle: (3,) of the whole motion, metres as in `Scene`.
        radius: metres around ``middle`` within which nearly all joints are, always.
        followed: (T, 3) middle of the persons at each time, steadied.
        followed_radius: metres around ``followed``.
    """

    middle: npt.NDArray[np.float32]
    radius: float
    followed: npt.NDArray[np.float32]
    followed_radius: float

    @property
    def follow(self) -> bool:
        """Whether following shows people clearly larger than standing still."""
        return self.radius > 1.25 * self.followed_radius


def frame_scene(scene: Scene, fps: float) -> Framing:
    """Where to look; single joints that are far off do not count."""
    low = np.where(np.isnan(scene.joints), np.inf, scene.joints).min(axis=(0, 2))  # (T, 3)
    high = np.where(np.isnan(scene.joints), -np.inf, scene.joints).max(axis=(0, 2))
    there = np.flatnonzero(np.isfinite(low[:, 0]))
    if len(there) == 0:
        nowhere = np.zeros((len(low), 3), dtype=np.float32)
        return Framing(nowhere[0], 1.0, nowhere, 1.0)
    centres = (low[there] + high[there]) / 2  # (F, 3)
    middle = np.quantile(centres, (0.02, 0.98), axis=0).mean(axis=0)
    # The mean over a third of a second to either side, of the frames that have anybody.
    span = max(1, round(fps / 3))
    sums = np.concatenate([np.zeros((1, 3)), np.cumsum(centres, axis=0, dtype=np.float64)])
    first, end = np.searchsorted(there, there - span), np.searchsorted(there, there + span + 1)
    steady = (sums[end] - sums[first]) / (end - first)[:, None]
    frames = np.arange(len(low))
    followed = np.stack([np.interp(frames, there, steady[:, axis]) for axis in range(3)], axis=-1)

    def reach(centre: npt.NDArray[Any]) -> float:
        off = np.linalg.norm(scene.joints - centre, axis=-1)
        return float(np.clip(np.nanquantile(off, 0.99), 0.3, 50.0))

    return Framing(
        middle.astype(np.float32),
        reach(middle),
        followed.astype(np.float32),
        reach(followed[:, None]),
    )


def floor_cell(radius: float) -> float:
    """Side of the floor's squares, metres, for a view of this radius."""
    return 2.0 if radius > 6 else 1.0 if radius > 3 else 0.5


def image_size(meta: Mapping[str, Any]) -> tuple[int, int] | None:
    """(width, height) in pixels of the picture that the 2D joints lie in, where ``meta`` says."""
    size = meta.get("image_size")
    if not isinstance(size, list | tuple) or len(size) != 2:
        return None
    sound = all(isinstance(side, int | float) and 1 <= side <= MAX_SIDE for side in size)
    return (int(size[0]), int(size[1])) if sound else None


def known_points(points: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(...,) whether all coordinates of the (..., C) points are known."""
    return np.asarray(np.all(np.isfinite(points), axis=-1))


def side(joint: str) -> Side:
    """On which side of the body a joint is."""
    first = joint.partition("_")[0]
    return first if first in ("left", "right") else "middle"  # type: ignore[return-value]  # mypy does not narrow by `in`


def sides(skeleton: Skeleton) -> tuple[Side, ...]:
    """Side of each joint; a bone has the side of its child."""
    return tuple(side(joint) for joint in skeleton.joints)


def _floor(
    joints: npt.NDArray[np.float32], skeleton: Skeleton, fps: float
) -> npt.NDArray[np.float32]:
    """(T,) y of the lowest ankle of about the last and the next second, without jumps.

    The lowest of the whole clip would leave people in the air: the camera looks down a little,
    so that who walks away climbs in its frame, and who squats pulls the feet up to the root.
    In a skeleton without ankles any joint counts.
    """
    ankles = [i for i, name in enumerate(skeleton.joints) if name.endswith("ankle")]
    heights = joints[:, :, ankles or slice(None), 1]  # y down: the largest is the lowest
    lowest = np.where(np.isfinite(heights), heights, -np.inf).max(axis=(0, 2))  # (T,)
    at = np.flatnonzero(np.isfinite(lowest))
    if len(at) == 0:
        return np.full(len(lowest), _NO_FLOOR, dtype=np.float32)
    lowest = np.interp(np.arange(len(lowest)), at, lowest[at])
    reach = min(max(1, round(fps)), len(lowest))

    def windows(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.lib.stride_tricks.sliding_window_view(
            np.pad(values, reach, mode="edge"), 2 * reach + 1
        )

    # The mean of maxima that all reach over a frame is never above the ankle of that frame.
    return np.asarray(windows(windows(lowest).max(axis=-1)).mean(axis=-1), dtype=np.float32)

"""Where and in which colour a pose is drawn; shared by the page and the strip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from poselift.poses import Pose3D
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


@dataclass(frozen=True)
class Scene:
    """Poses put where they are drawn.

    Args:
        joints: (P, T, J, 3) metres, x right, y down, z forward; NaN where absent.
        floor: (T,) y of the floor, metres: the lowest ankle around that time.
        placed: whether persons stand where they stood before the camera; else each stands
            still at a place of its own, since the root is not known.
    """

    joints: npt.NDArray[np.float32]
    floor: npt.NDArray[np.float32]
    placed: bool


def make_scene(pose: Pose3D) -> Scene:
    """Place the persons of ``pose`` side by side, or where their root says if all have one."""
    seen = np.asarray(np.any(known_points(pose.joints), axis=-1))  # (P, T)
    known = known_points(pose.root)
    present = np.asarray(np.any(seen, axis=1))
    rooted = np.asarray(np.any(known & seen, axis=1))
    placed = bool(present.any() and rooted[present].all())
    root = np.zeros_like(pose.root)
    if placed:
        for p in np.flatnonzero(present):
            root[p] = _filled(pose.root[p], known[p])
    else:
        rank = np.cumsum(present) - 1
        root[..., 0] = (_APART * (rank - (present.sum() - 1) / 2))[:, None]
    joints = (pose.joints + root[:, :, None]).astype(np.float32)
    joints[~known_points(joints)] = np.nan  # a joint is there with all coordinates or not at all
    return Scene(joints, _floor(joints, pose.skeleton, pose.fps), placed)


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


def _filled(root: npt.NDArray[Any], known: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """(T, 3) root with its gaps bridged by straight lines, its ends held."""
    frames = np.arange(len(root))
    at = np.flatnonzero(known)
    return np.stack([np.interp(frames, at, root[at, axis]) for axis in range(3)], axis=-1)


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

"""What readers of other programs' formats share: points in a Y-up world become a `Pose3D`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError
from poselift.geometry.axes import swap_y_up
from poselift.geometry.kinematics import present
from poselift.poses import Pose3D
from poselift.skeleton import H36M_17, Skeleton


def to_pose(
    points: npt.NDArray[np.float64],
    names: Sequence[str],
    parents: Sequence[int] | None,
    path: str | os.PathLike[str],
    *,
    fps: float,
    times: npt.NDArray[np.float64] | None = None,
    track_ids: Sequence[int] | None = None,
) -> Pose3D:
    """A pose from absolute points.

    If the 17 joints of ``h36m-17`` are among the points, the pose has these; else it has all of
    them under their own names. The root is the place of the root joint; where that is absent,
    the middle of the joints there are.

    Args:
        points: (P, T, N, 3) metres, Y up; NaN where absent.
        names: N names; those that occur twice get a number.
        parents: (N,) index of each parent, -1 for none; ``None`` for points without a tree.
        path: the file, for ``meta`` and errors.
        fps: frames per second.
        times: (T,) seconds.
        track_ids: (P,).

    Raises:
        DataError: numbers or rates that cannot be.
    """
    path = Path(path)
    names = _unique(names)
    if set(H36M_17.joints) <= set(names):
        skeleton = H36M_17
        points = points[:, :, [names.index(joint) for joint in H36M_17.joints]]
    else:
        kind = path.suffix.lower().removeprefix(".") or "points"
        tree = {names[c]: names[p] for c, p in enumerate(parents or ()) if p >= 0}
        root_joint = names[list(parents).index(-1)] if parents and -1 in parents else None
        skeleton = Skeleton(kind, tuple(names), tree, root_joint)
    if not (np.isfinite(fps) and fps > 0):
        raise DataError(f"{fps} frames per second", "a positive number")
    if 0 in points.shape:
        raise DataError(f"{path}: no joint or no frame", "at least one of each")
    camera = swap_y_up(points)
    known = present(camera)  # (P, T, J)
    camera = np.where(known[..., None], camera, np.nan)
    count = known.sum(axis=2)[..., None]
    middle = np.where(known[..., None], camera, 0).sum(axis=2) / np.where(count, count, np.nan)
    if skeleton.root is None:
        root = 0.0 * middle
    else:
        root = camera[:, :, skeleton.index(skeleton.root)]
        root = np.where(np.isnan(root), middle, root)
    with np.errstate(over="ignore"):  # too large for float32: infinite, and refused as such
        return Pose3D(
            (camera - root[:, :, None]).astype(np.float32),
            root.astype(np.float32),
            skeleton=skeleton,
            fps=fps,
            times=np.arange(points.shape[1]) / fps if times is None else times,
            track_ids=np.arange(len(points)) if track_ids is None else np.array(track_ids),
            meta={"source": path.name, "placed": "as in the source, its axes turned to a camera's"},
        )


def _unique(names: Sequence[str]) -> list[str]:
    """Names of which none occurs twice."""
    out: list[str] = []
    for name in names:
        unique, number = name, 2
        while unique in out:
            unique, number = f"{name}_{number}", number + 1
        out.append(unique)
    return out

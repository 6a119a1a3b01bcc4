"""Filling of absent joints: networks need all of them, in every frame.

The fill is made to be honest rather than clever: a straight line in time between the frames in
which a joint was seen, its nearest sighting before the first and after the last. All of it is
counted in a ``GapReport``, and filled joints keep the score 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.poses import FloatArray, Pose2D
from poselift.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class GapReport:
    """What was filled.

    Args:
        absent: (P, T) True where no joint of the person was seen: nothing that comes out of such
            a frame is a measurement, so a lifter writes NaN there.
        filled: (P, J) number of frames in which a joint was filled although others of the person
            were seen.
        longest: (P, J) longest run of frames in which a joint was not seen, between the person's
            first and last frame.
        never_seen: for each person the names of joints seen in no frame; they were put where
            their mirror joint or their neighbours in the skeleton suggest.
    """

    absent: npt.NDArray[np.bool_]
    filled: npt.NDArray[np.int64]
    longest: npt.NDArray[np.int64]
    never_seen: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        """One line for a log.

        >>> import numpy as np
        >>> from poselift.skeleton import H36M_17
        >>> pose = Pose2D(np.ones((4, 17, 2)), skeleton=H36M_17)
        >>> print(fill_gaps(pose)[1])
        no gaps
        """
        parts = []
        if self.filled.sum():
            parts.append(
                f"{self.filled.sum()} joints filled, longest gap {self.longest.max()} frames"
            )
        if self.absent.sum():
            parts.append(f"{self.absent.sum()} frames without the person")
        names = sorted({name for names in self.never_seen for name in names})
        if names:
            parts.append(f"never seen: {', '.join(names)}")
        return "; ".join(parts) or "no gaps"


def fill_gaps(pose: Pose2D) -> tuple[Pose2D, GapReport]:
    """Fill every absent joint.

    Args:
        pose: 2D joints with NaN where absent.

    Returns:
        The pose with finite keypoints everywhere, scores of filled joints 0, and what was filled.
        Frames in which a person is absent altogether are filled too, for the network's window,
        and marked in ``GapReport.absent``. A person with no joint at all becomes zeros.
    """
    seen = np.isfinite(pose.keypoints[..., 0])  # (P, T, J)
    absent: npt.NDArray[np.bool_] = np.logical_not(seen.any(axis=2))
    keypoints = pose.keypoints.astype(np.float64)
    for p, t_seen in enumerate(seen):
        for j in np.flatnonzero(t_seen.any(axis=0)):
            here = t_seen[:, j]
            if here.all():
                continue
            for axis in range(2):
                keypoints[p, ~here, j, axis] = np.interp(
                    pose.times[~here], pose.times[here], keypoints[p, here, j, axis]
                )
        unknown = ~t_seen.any(axis=0)  # (J,)
        if unknown.all():
            keypoints[p] = 0
        elif unknown.any():
            keypoints[p] = place_unseen(keypoints[p], unknown, pose.skeleton)
    report = GapReport(
        absent,
        (~seen & ~absent[..., None]).sum(axis=1),
        np.array([_longest_runs(~s, a) for s, a in zip(seen, absent, strict=True)]),
        tuple(_names(pose.skeleton, ~s.any(axis=0)) for s in seen),
    )
    return replace(pose, keypoints=keypoints.astype(np.float32)), report


def _names(skeleton: Skeleton, which: Iterable[Any]) -> tuple[str, ...]:
    return tuple(name for name, chosen in zip(skeleton.joints, which, strict=True) if chosen)


def _longest_runs(
    gone: npt.NDArray[np.bool_], absent: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """(J,) longest run of True in each column of (T, J), from the person's first to last frame."""
    present = np.flatnonzero(~absent)
    if present.size == 0:
        return np.zeros(gone.shape[1], dtype=np.int64)
    inside = gone[present[0] : present[-1] + 1]
    run = np.zeros(gone.shape[1], dtype=np.int64)
    longest = run.copy()
    for row in inside:
        run = np.where(row, run + 1, 0)
        longest = np.maximum(longest, run)
    return longest


def place_unseen(
    joints: FloatArray, unknown: npt.NDArray[np.bool_], skeleton: Skeleton
) -> FloatArray:
    """Places for joints that no frame shows.

    First beside the mirror joint: a shin out of sight runs parallel to the other. What is left
    is put at the mean of its neighbours in the skeleton, all such joints at once, so that a chain
    without an end stays at its last known joint and one with both ends known is a straight line.

    Args:
        joints: (T, J, 2) pixels, finite where not ``unknown``.
        unknown: (J,) joints to place.
        skeleton: names of the J joints.
    """
    joints, unknown = joints.copy(), unknown.copy()
    was_seen = ~unknown
    parents = skeleton.parent_indices
    for j in _from_root(skeleton):
        parent, mirror = parents[j], skeleton.mirror_indices[j]
        # The mirror's bone must have been seen, the joint to hang on may be placed already.
        if unknown[j] and parent >= 0 and mirror != j and not unknown[parent]:
            across = parents[mirror]
            if was_seen[mirror] and across >= 0 and was_seen[across]:
                joints[:, j] = joints[:, parent] + joints[:, mirror] - joints[:, across]
                unknown[j] = False
    todo = np.flatnonzero(unknown)
    if todo.size:
        known = np.flatnonzero(~unknown)
        centre = joints[:, known].mean(axis=1, keepdims=True)  # (T, 1, 2)
        links = np.zeros((len(skeleton), len(skeleton)))
        for a, b in skeleton.bones:
            links[a, b] = links[b, a] = 1
        # Sum over neighbours of (x_j - x_neighbour) = 0 for every joint to place. Least squares of
        # least norm, around the person's centre: joints with no tie to a known one land there.
        laplacian = np.diag(links.sum(axis=1)) - links
        spread = -np.linalg.pinv(laplacian[np.ix_(todo, todo)]) @ laplacian[np.ix_(todo, known)]
        joints[:, todo] = centre + np.einsum("uk,tkc->tuc", spread, joints[:, known] - centre)
    return joints


def _from_root(skeleton: Skeleton) -> list[int]:
    """Joint indices with parents before children."""
    parents = skeleton.parent_indices

    def depth(j: int) -> int:
        # Bounded, should a skeleton ever have a ring.
        for steps in range(len(parents)):
            if parents[j] < 0:
                return steps
            j = parents[j]
        return len(parents)

    return sorted(range(len(parents)), key=depth)

"""Left and right that a detector exchanged, found by continuity and put back.

A detector that takes a person's left for the right, because the face is hidden or the person
seems to turn the back, does so from one frame to the next: every joint jumps to where its mirror
joint was. Put back, nothing jumps. Of all ways to exchange the arms and the legs of a clip's
frames, the one of least cost is found with the algorithm of Viterbi (1967). The cost counts

- how far the joints move, as shares of the person's size and times ``_MOVED``, from the frame
  before and from the one before that, so that a frame in which they are nowhere does not part the
  two beside it; a joint that is ``_FAR`` off is off whatever its name is, and costs no more,
- ``_CHANGE`` for each frame in which an exchange begins or ends,
- ``_EXCHANGED`` a second for arms and for legs that are exchanged: what stays unclear is left as
  the detector has it, and of a clip that is one way for ten seconds and the other way for one, the
  one second is exchanged,
- ``_TWISTED`` a second for hips turned against the shoulders, which a body cannot do for long.

``benchmarks/sides.py`` measures what is found, and what is exchanged wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from poselift.poses import FloatArray, Pose2D
from poselift.skeleton import Skeleton

_MOVED = 0.6
_FAR = 0.2
_CHANGE = 0.35
_EXCHANGED = 0.2
_TWISTED = 2.0
_WIDE = 0.1
"""Of the person's size: hips and shoulders seen less wide than this tell little of their turn."""
_MEMORY = 0.3
"""Seconds after which a sighting tells nothing of the next."""

_ARMS = ("shoulder", "elbow", "wrist")
_LEGS = ("hip", "knee", "ankle")
_FEET = ("heel", "toe", "foot")
_STATES = np.array(list(product((0, 1), repeat=2)))
"""(4, 2): whether arms, whether legs are exchanged."""

_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SidesReport:
    """What was exchanged.

    Args:
        arms: (P, T) True where left and right of the arms (and of face and hands) were exchanged.
        legs: (P, T) the same of legs and feet.
    """

    arms: _Mask
    legs: _Mask

    @property
    def frames(self) -> npt.NDArray[np.int64]:
        """(P,) number of frames in which anything was exchanged."""
        return np.asarray((self.arms | self.legs).sum(axis=1))

    def __str__(self) -> str:
        """One line for a log, empty if nothing was exchanged."""
        count = int(self.frames.sum())
        return f"left and right put back in {count} frames" if count else ""


def repair_sides(pose: Pose2D) -> tuple[Pose2D, SidesReport]:
    """Put left and right back where the detector exchanged them for a while.

    Frames before and after are needed: this is for whole clips. Three frames is the least.

    Args:
        pose: 2D joints in any layout. One without shoulders, elbows, wrists, hips, knees and
            ankles of both sides is left as it is.

    Returns:
        The pose, in which joints and scores of exchanged frames have the names of the other side,
        and what was exchanged. Scores keep their values: the joint was seen, its name was wrong.
    """
    persons, frames = pose.keypoints.shape[:2]
    skeleton = pose.skeleton
    exchanged = np.zeros((persons, frames, 2), dtype=np.bool_)
    if all(f"{side}_{n}" in skeleton.joints for side in ("left", "right") for n in _ARMS + _LEGS):
        limbs = [
            [[skeleton.index(f"{side}_{name}") for side in ("left", "right")] for name in group]
            for group in (_ARMS, _LEGS)
        ]
        for p, keypoints in enumerate(pose.keypoints):
            both = keypoints[:, limbs]  # (T, 2, 3, 2, 2)
            seen = np.isfinite(both[..., 0]).any(axis=(1, 2, 3))  # (T,)
            exchanged[p, seen] = _least_cost(both[seen], pose.times[seen])
    report = SidesReport(exchanged[..., 0], exchanged[..., 1])
    if not exchanged.any():
        return pose, report
    order, mirror = np.arange(len(skeleton)), np.array(skeleton.mirror_indices)
    group = _below_the_waist(skeleton).astype(int)  # (J,) 0 with the arms, 1 with the legs
    names = np.where(exchanged[:, :, group], mirror, order)  # (P, T, J)
    keypoints = np.take_along_axis(pose.keypoints, names[..., None], axis=2)
    scores = np.take_along_axis(pose.scores, names, axis=2)
    return replace(pose, keypoints=keypoints, scores=scores), report


def _below_the_waist(skeleton: Skeleton) -> _Mask:
    parts = _LEGS + _FEET
    return np.array([any(part in name for part in parts) for name in skeleton.joints])


def _least_cost(limbs: FloatArray, times: FloatArray) -> _Mask:
    """What to exchange.

    Args:
        limbs: (T, 2, 3, 2, 2) pixels: arms and legs, three joints each, left and right; NaN where
            absent, some joint present in each frame.
        times: (T,) seconds.

    Returns:
        (T, 2) whether arms, whether legs are exchanged.
    """
    frames = len(limbs)
    if frames < 3:
        return np.zeros((frames, 2), dtype=np.bool_)
    flat = limbs.reshape(frames, -1, 2)
    size = np.linalg.norm(np.nanmax(flat, axis=1) - np.nanmin(flat, axis=1), axis=-1)  # (T,)
    size = np.maximum(size, max(np.median(size) / 4, 1e-6))  # few joints seen are no small person
    one = _moves(limbs, size, times, 1)  # (T - 1, 4, 4), from state to state
    two = _moves(limbs, size, times, 2)  # (T - 2, 4, 4)
    change = _CHANGE * (_STATES[:, None] != _STATES).any(axis=-1)  # (4, 4)
    step = np.diff(times, prepend=times[0])
    # After a long absence all begins anew, as the detector has it.
    one += np.where((step[1:] <= _MEMORY)[:, None, None], change, change[:1])
    one += (_strange(limbs, size) * np.minimum(step, _MEMORY)[:, None])[1:, None]
    # Two frames back matter, so that what is followed is pairs of states: cost[before, now].
    cost = one[0] + change[0][:, None]
    came_from = np.empty((frames, len(_STATES), len(_STATES)), dtype=np.int8)
    for t in range(2, frames):
        total = cost[:, :, None] + one[t - 1] + two[t - 2][:, None]  # (before that, before, now)
        came_from[t] = total.argmin(axis=0)
        cost = total.min(axis=0)
    path = np.empty(frames, dtype=np.int64)
    path[-2], path[-1] = np.unravel_index(cost.argmin(), cost.shape)
    for t in range(frames - 1, 1, -1):
        path[t - 2] = came_from[t, path[t - 1], path[t]]
    return _STATES[path].astype(np.bool_)


def _moves(limbs: FloatArray, size: FloatArray, times: FloatArray, lag: int) -> FloatArray:
    """(T - lag, 4, 4) how far the joints move in ``lag`` frames, from each state to each."""
    now, before = limbs[lag:], limbs[:-lag]
    known = np.isfinite(now + before).all(axis=(-1, -2))  # (T - lag, 2, 3): both sides, both times
    known &= (times[lag:] - times[:-lag] <= _MEMORY)[:, None, None]
    scale = np.maximum(size[lag:], size[:-lag])[:, None, None, None]
    ways = []
    for there in (before, before[:, :, :, ::-1]):  # under the same names, and the other side's
        way = np.minimum(np.linalg.norm(now - there, axis=-1) / scale, _FAR)  # (T - lag, 2, 3, 2)
        ways.append(np.where(known[..., None], way, 0.0).sum(axis=(-1, -2)))
    # Single precision will do for the ways, but not for their sum over an hour.
    cost = _MOVED * np.stack(ways, axis=-1).astype(np.float64)  # (T - lag, 2, stay or change)
    arms, legs = np.moveaxis(_STATES[:, None] != _STATES, -1, 0).astype(int)  # (4, 4) each
    return np.asarray(cost[:, 0][:, arms] + cost[:, 1][:, legs])


def _strange(limbs: FloatArray, size: FloatArray) -> FloatArray:
    """(T, 4) cost of a second in each state."""
    shoulders, hips = (limbs[:, group, 0, 1] - limbs[:, group, 0, 0] for group in (0, 1))  # (T, 2)
    widths = [np.maximum(np.linalg.norm(line, axis=-1), 1e-9) for line in (shoulders, hips)]
    alike = (shoulders * hips).sum(axis=-1) / (widths[0] * widths[1])  # cosine
    alike = np.nan_to_num(alike * np.minimum(np.minimum(*widths) / (_WIDE * size), 1))
    together = _STATES[:, 0] == _STATES[:, 1]  # (4,)
    twisted = np.maximum(np.where(together, -alike[:, None], alike[:, None]), 0)
    return np.asarray(_TWISTED * twisted + _EXCHANGED * _STATES.sum(axis=1))

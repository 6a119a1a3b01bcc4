"""The path of a person through the room, in metres, from what a lifter and a detector say.

Every frame says where the root must be for the joints to fall onto the keypoints, and how surely:
sideways to some millimetres, along the line of sight far less. `solve_trajectory` finds the whole
path at once: robust least squares of the reprojection in pixels, in which a joint that does not
fit counts less, and a penalty on the acceleration of the root. Each frame enters with its own
3 x 3 information, so that the smoothing acts where the frame knows little: in depth.

How far the person stands is as (un)certain as how tall he is: a lifter's person has the size of
its training data, a few percent off. ``height`` says the true one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError, UsageError
from poselift.geometry.root import solve_root
from poselift.geometry.smooth import checked_times, smooth_normal, spans
from poselift.skeleton import H36M_17, Skeleton

FloatArray = npt.NDArray[np.floating[Any]]
Array = FloatArray

AGILITY = 1.0
"""How fast a root changes its speed: white noise of this many m/s^2 for one second.

Chosen on the validation motions, walking and dancing people; half or twice does little.
"""

# Errors of a network last for many frames: this many frames tell as much as one independent one.
_REPEATED = 4.0
_ROUNDS = 6
_TUKEY = 4.685  # 95 % efficient if errors are normal
_CHUNK = 4096  # frames
_FARTHEST = 1e4  # metres: nobody can be seen there
_LEAST_SIGMA = 0.002  # of the person's size in the image: no detector is more exact


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A person's path, and what was found with it.

    Args:
        root: (P, T, 3) metres, camera frame; NaN where unknown.
        scale: (P,) by which the joints were multiplied; multiply them too.
        sigma_px: (P,) spread of the reprojection errors, pixels; NaN if nothing was seen.
        stature: (P,) height of the person, metres, after scaling; NaN if nothing was seen.
    """

    root: Array
    scale: Array
    sigma_px: Array
    stature: Array


def focal_from_fov(fov: float, pixels: float) -> float:
    """Focal length in pixels from a field of view.

    Args:
        fov: degrees from edge to edge of the image.
        pixels: the image's extent in that direction: its width for a horizontal field of view.

    Raises:
        UsageError: not between 0 and 180 degrees.

    >>> round(focal_from_fov(90, 1920), 6)
    960.0
    """
    if not (math.isfinite(fov) and 0 < fov < 180):
        raise UsageError(f"fov={fov!r}", "degrees between 0 and 180")
    return pixels / 2 / math.tan(math.radians(fov) / 2)


def stature(joints: FloatArray, skeleton: Skeleton = H36M_17) -> Array:
    """Standing height of persons, metres, from the lengths of their bones.

    Args:
        joints: (P, T, J, 3) metres, in any pose; NaN where absent.
        skeleton: with the joints of ``h36m-17``.

    Returns:
        (P,); NaN for a person without a whole frame.
    """
    chains = (
        ("left_ankle", "left_knee", "left_hip"),
        ("right_ankle", "right_knee", "right_hip"),
        ("pelvis", "spine", "thorax", "neck", "head"),
    )
    joints = np.asarray(joints, dtype=np.float64)
    lengths = []
    for chain in chains:
        points = joints[:, :, list(skeleton.indices(list(chain)))]  # (P, T, n, 3)
        lengths.append(np.linalg.norm(np.diff(points, axis=2), axis=-1).sum(axis=-1))
    left, right, trunk = lengths
    tall: Array = _STATURE_PER_BONES * _median((left + right) / 2 + trunk, axis=1)
    return tall


# Legs and spine of a standing person are bent a little; sole and crown lie beyond their ends.
_STATURE_PER_BONES = 1.09


def solve_trajectory(
    joints: FloatArray,
    keypoints: FloatArray,
    focal: npt.ArrayLike,
    centre: npt.ArrayLike,
    *,
    times: FloatArray,
    scores: FloatArray | None = None,
    height: float | None = None,
    agility: float | None = AGILITY,
    floor: FloorHints | None = None,
    skeleton: Skeleton = H36M_17,
) -> Trajectory:
    """Where each person is, over time.

    Args:
        joints: (P, T, J, 3) relative to the root, metres, camera frame.
        keypoints: (P, T, J, 2) pixels; NaN where absent.
        focal: (2,) or one number, pixels.
        centre: (2,) principal point, pixels.
        times: (T,) seconds.
        scores: (P, T, J) of the keypoints, not negative; 1 if not given.
        height: of every person, standing, metres; the lifter's sizes are used if not given.
        agility: how fast the root may change its speed, see `AGILITY`; less is smoother.
            ``None``: each frame on its own.
        floor: which feet stand on what plane, of the unscaled persons, to make depth surer; see
            `poselift.geometry.world.floor_hints`.
        skeleton: of the joints, for ``height``.

    Returns:
        The paths. NaN in frames in which a person cannot be placed: absent, or fewer than two
        joints. Gaps are not bridged.

    Raises:
        UsageError: a height or agility that is not positive, or not that of a human being.
        DataError: shapes or times that do not fit together.
    """
    joints, keypoints = np.asarray(joints), np.asarray(keypoints)
    if joints.ndim != 4:
        raise DataError(f"joints of shape {joints.shape}", "(P, T, J, 3)")
    persons, frames = joints.shape[:2]
    times = checked_times(times, frames)
    if height is not None and not (math.isfinite(height) and 0.3 <= height <= 2.8):
        raise UsageError(f"height={height!r}", "the height of a person, 0.3 to 2.8 metres")
    if agility is not None and not (math.isfinite(agility) and agility > 0):
        raise UsageError(f"agility={agility!r}", "a positive number")
    start = solve_root(joints, keypoints, focal, centre, scores)
    weight = np.ones(joints.shape[:-1]) if scores is None else np.asarray(scores, np.float64)
    camera = (np.broadcast_to(np.asarray(focal, np.float64), (2,)), np.asarray(centre, np.float64))
    root, sigma = np.full((persons, frames, 3), np.nan), np.full(persons, np.nan)
    for p in range(persons):
        hints = None if floor is None else floor.of(p)
        root[p], sigma[p] = _solve_person(
            joints[p], keypoints[p], weight[p], start[p], camera, times, agility, hints
        )
    tall = (
        stature(joints, skeleton) if height is not None or skeleton == H36M_17 else sigma * np.nan
    )
    scale = np.ones(persons)
    if height is not None:
        scale = np.where(np.isfinite(tall), height / tall, 1.0)
    # Joints k times as large, seen at the same place, are k times as far away.
    root *= scale[:, None, None]
    root[~(np.abs(root) < _FARTHEST).all(axis=-1)] = np.nan
    return Trajectory(root, scale, sigma, tall * scale)


@dataclass(frozen=True, eq=False)
class FloorHints:
    """Planes on which the root lies in some frames, since a foot stands on the floor.

    Args:
        up: (3,) unit vector, camera frame.
        level: (P, T) of the root along ``up``, metres, camera frame; NaN where not known.
        sigma: how surely, metres.
    """

    up: Array
    level: Array
    sigma: float

    def of(self, person: int) -> tuple[Array, Array, float]:
        """Up, the levels (T,) of one person, and sigma."""
        return self.up, self.level[person], self.sigma


def _solve_person(
    joints: Array,
    keypoints: Array,
    scores: Array,
    start: Array,
    camera: tuple[Array, Array],
    times: Array,
    agility: float | None,
    hints: tuple[Array, Array, float] | None,
) -> tuple[Array, float]:
    """Path (T, 3) and spread in pixels of one person; Gauss-Newton on the whole path."""
    present = np.isfinite(joints).all(-1) & np.isfinite(keypoints).all(-1)
    # Scores that are all zero tell nothing, as in `solve_root`.
    some = (present & (scores > 0)).any(axis=-1, keepdims=True)
    scores = np.where(some, scores, 1.0)
    seen = np.asarray(present & (scores > 0))
    known = np.asarray(np.isfinite(start).all(axis=-1) & (seen.sum(axis=-1) >= 2))
    if not known.any():
        return np.full_like(start, np.nan), math.nan
    root = _median_filled(start, known)
    seen &= known[:, None]
    view = _View(joints, keypoints, np.where(seen, scores, 0.0), seen, *camera)
    size = view.size  # (T,) pixels
    share = _median(size[known])
    sigma = math.nan
    for _ in range(_ROUNDS):
        length = view.errors(root)
        # Median of the length of a normal error in the plane: 1.177 sigma.
        spread = max(float(np.median(length[seen])) / 1.177, _LEAST_SIGMA)
        sigma = spread * share
        information, gradient = view.normal_equations(root, length, spread)
        if hints is not None:
            up, level, sure = hints
            stands = np.isfinite(level) & known
            information += np.where(stands, sure**-2, 0.0)[:, None, None] * np.outer(up, up)
            off = np.where(stands, root @ up - np.where(stands, level, 0.0), 0.0)
            gradient += (off / sure**2)[:, None] * up
        right = np.einsum("tij,tj->ti", information, root) - gradient
        if agility is None:
            regular = information + 1e-9 * np.eye(3) * _trace(information)[:, None, None]
            regular = np.where(known[:, None, None], regular, np.eye(3))
            new = np.linalg.solve(regular, right[..., None])[..., 0]
        else:
            new = root.copy()
            for span in spans(known, times):
                new[span] = smooth_normal(
                    information[span], right[span][..., None], times[span], agility**-2
                )[..., 0]
        # A step must not take anybody behind the camera, nor out of sight.
        step = np.where(known[:, None], new - root, 0.0)
        far = np.linalg.norm(step, axis=-1, keepdims=True)
        step *= np.minimum(1.0, root[:, 2:] / 2 / np.maximum(far, 1e-12))
        root = root + step
        if np.abs(step).max() < 1e-5:
            break
    return np.where(known[:, None], root, np.nan), sigma


@dataclass(frozen=True, eq=False)
class _View:
    """What the camera says of one person's roots.

    Sums over joints are made `_CHUNK` frames at a time: in single numbers for each joint, an hour
    of video would take a gigabyte.

    Args:
        joints: (T, J, 3) relative to the root, metres.
        keypoints: (T, J, 2) pixels.
        scores: (T, J), 0 where not seen.
        seen: (T, J).
        focal: (2,) pixels.
        centre: (2,) pixels.
    """

    joints: Array
    keypoints: Array
    scores: Array
    seen: npt.NDArray[np.bool_]
    focal: Array
    centre: Array

    @functools.cached_property
    def size(self) -> Array:
        """(T,) size of the person in the image, pixels."""
        return _size(self.keypoints, self.seen)

    def errors(self, root: Array) -> Array:
        """(T, J) reprojection errors as shares of the person's size, less where less sure."""
        out = np.empty(self.seen.shape)
        for part in self._parts():
            error, _, _ = self._project(part, root)
            sure = np.sqrt(self.scores[part])  # sigma ~ 1 / sqrt(score)
            out[part] = np.linalg.norm(error, axis=-1) * sure / self._scale(part)[:, None]
        return out

    def normal_equations(self, root: Array, length: Array, spread: float) -> tuple[Array, Array]:
        """Information (T, 3, 3) and gradient (T, 3) of the roots, by Tukey's weights.

        Args:
            root: (T, 3) where they are now.
            length: (T, J) as from `errors`.
            spread: standard deviation of the errors.
        """
        information, gradient = np.empty((*root.shape, 3)), np.empty(root.shape)
        eye = np.eye(2)
        for part in self._parts():
            error, ratio, depth = self._project(part, root)
            robust = np.clip(1 - (length[part] / (_TUKEY * spread)) ** 2, 0, None) ** 2
            # A frame in which nothing fits (yet) must still say something.
            robust = np.maximum(robust, 1e-3) * self.scores[part]
            jacobian = np.concatenate(
                [np.broadcast_to(eye, (*ratio.shape, 2)), -ratio[..., None]], axis=-1
            )
            jacobian = jacobian * (self.focal[:, None] / depth[..., None, None])  # (t, J, 2, 3)
            weight = robust / (spread * self._scale(part)[:, None]) ** 2 / _REPEATED
            weighted = jacobian * weight[..., None, None]
            information[part] = np.einsum("tjci,tjck->tik", weighted, jacobian)
            gradient[part] = np.einsum("tjci,tjc->ti", weighted, error)
        return information, gradient

    def _parts(self) -> Iterator[slice]:
        return (slice(n, n + _CHUNK) for n in range(0, len(self.joints), _CHUNK))

    def _scale(self, part: slice) -> Array:
        return np.where(self.size[part] > 0, self.size[part], 1.0)

    def _project(self, part: slice, root: Array) -> tuple[Array, Array, Array]:
        """Errors (t, J, 2) in pixels, 0 where not seen; x / z and y / z (t, J, 2); depth (t, J)."""
        seen = self.seen[part][..., None]
        points = np.where(seen, self.joints[part], 0.0) + root[part, None]
        depth = np.maximum(points[..., 2], 0.05)
        ratio = points[..., :2] / depth[..., None]
        error = ratio * self.focal + self.centre - self.keypoints[part]
        return np.where(seen, error, 0.0), ratio, depth


def _trace(matrices: Array) -> Array:
    return np.asarray(np.trace(matrices, axis1=-2, axis2=-1))


def _size(keypoints: Array, seen: npt.NDArray[np.bool_]) -> Array:
    """(T,) size of the person in the image, pixels: diagonal of the box of what was seen."""
    low = np.where(seen[..., None], keypoints, np.inf).min(axis=1)
    high = np.where(seen[..., None], keypoints, -np.inf).max(axis=1)
    size = np.linalg.norm(np.where(np.isfinite(low), high - low, 0.0), axis=-1)
    return np.where(seen.any(axis=1), np.maximum(size, 1.0), 0.0)


def _median_filled(path: Array, known: npt.NDArray[np.bool_]) -> Array:
    """A path to start from: linear over frames that are not known."""
    index = np.arange(len(path))
    out = path.copy()
    for axis in range(3):
        out[~known, axis] = np.interp(index[~known], index[known], path[known, axis])
    return out


def _median(values: Array, axis: int | None = None) -> Any:
    """Median of what is finite; NaN (without a warning) where nothing is."""
    values = np.asarray(values, dtype=np.float64)
    none = ~np.isfinite(values).any(axis=axis, keepdims=True)
    filled = np.where(none, 0.0, np.where(np.isfinite(values), values, np.nan))
    out = np.nanmedian(filled, axis=axis)
    return np.where(none.reshape(np.shape(out)), np.nan, out)

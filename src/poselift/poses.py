"""The two objects that travel between parts of poselift: Pose2D and Pose3D.

Legend of shapes here and everywhere: P persons, B batch, T frames, J joints, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError
from poselift.skeleton import H36M_17, Skeleton

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]

MIN_FPS, MAX_FPS = 1e-3, 1e5
"""A frame in a quarter of an hour, and more than any camera takes."""
MAX_SIDE = 1_000_000
"""Pixels of an image's width or height."""


@dataclass(frozen=True, eq=False)
class Pose2D:
    """2D joints of the persons in a video.

    Args:
        keypoints: (P, T, J, 2) pixels, origin top left, x right, y down; NaN where absent.
        scores: (P, T, J) confidence, cut to 0..1, 0 where absent; ``None`` means 1 for every joint
            present.
        skeleton: names of the J joints.
        fps: frames per second.
        times: (T,) seconds, strictly increasing; ``None`` means ``arange(T) / fps``.
        image_size: (width, height) in pixels, ``None`` if the source does not say.
        track_ids: (P,) one number for each person; ``None`` means 0, 1, ...
        source: where the joints come from, for provenance.

    Raises:
        DataError: values that are not numbers, shapes that do not fit, infinite values, times that
            do not increase, or a frame rate or image size out of range.

    >>> import numpy as np
    >>> pose = Pose2D(np.zeros((1, 5, 17, 2)), skeleton=H36M_17, fps=25.0)
    >>> pose.num_frames, pose.duration
    (5, 0.16)
    """

    keypoints: FloatArray
    scores: FloatArray = None  # type: ignore[assignment]  # filled in __post_init__
    skeleton: Skeleton = H36M_17
    fps: float = 30.0
    times: FloatArray = None  # type: ignore[assignment]
    image_size: tuple[int, int] | None = None
    track_ids: IntArray = None  # type: ignore[assignment]
    source: str = ""

    def __post_init__(self) -> None:
        keypoints = _numbers(self.keypoints, f"{self._where}keypoints")
        if keypoints.ndim == 3:
            keypoints = keypoints[None]  # (T, J, 2) -> (1, T, J, 2)
        joints = len(self.skeleton)
        if keypoints.ndim != 4 or keypoints.shape[2:] != (joints, 2):
            raise DataError(
                f"{self._where}keypoints of shape {keypoints.shape}",
                f"(P, T, {joints}, 2) or (T, {joints}, 2) for layout {self.skeleton.name}",
                "name the right layout or fix the file",
            )
        persons, frames = keypoints.shape[:2]
        if persons == 0 or frames == 0:
            raise DataError(f"{self._where}no person or no frame", "at least one of each")
        if np.isinf(keypoints).any():
            raise DataError(
                f"{self._where}infinite coordinates", "pixels, or NaN where a joint is absent"
            )
        absent = np.asarray(np.isnan(keypoints).any(axis=-1))  # (P, T, J)
        keypoints = np.where(absent[..., None], np.float32(np.nan), keypoints)
        _put(self, "keypoints", keypoints)
        _put(self, "scores", _checked_scores(self.scores, absent, self._where))
        _put(self, "fps", checked_fps(self.fps, self._where))
        _put(self, "times", _checked_times(self.times, frames, self.fps, self._where))
        if self.image_size is not None:
            _put(self, "image_size", _checked_size(self.image_size, self._where))
        _put(self, "track_ids", _checked_ids(self.track_ids, persons, self._where))

    @property
    def _where(self) -> str:
        return f"{self.source}: " if self.source else ""

    @property
    def num_persons(self) -> int:
        """P."""
        return int(self.keypoints.shape[0])

    @property
    def num_frames(self) -> int:
        """T."""
        return int(self.keypoints.shape[1])

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last."""
        return float(self.times[-1] - self.times[0])


@dataclass(frozen=True, eq=False)
class Pose3D:
    """3D joints of the persons in a video, root-relative in the camera frame.

    Args:
        joints: (P, T, J, 3) metres relative to the root joint, camera frame (x right, y down,
            z forward); NaN where absent.
        root: (P, T, 3) position of the root joint in the camera frame, metres; NaN where unknown.
        keypoints: (P, T, J, 2) the 2D joints that were lifted, pixels; NaN where the source had
            none.
        scores: (P, T, J) confidence of those 2D joints, 0 where absent.
        skeleton: names of the J joints.
        fps: frames per second.
        times: (T,) seconds; ``None`` means ``arange(T) / fps``.
        track_ids: (P,) one number for each person.
        meta: provenance: model, weights licence, source, version, what was assumed.

    Raises:
        DataError: values that are not numbers, shapes that do not fit, infinite values, or a
            frame rate out of range.
    """

    joints: FloatArray
    root: FloatArray = None  # type: ignore[assignment]
    keypoints: FloatArray = None  # type: ignore[assignment]
    scores: FloatArray = None  # type: ignore[assignment]
    skeleton: Skeleton = H36M_17
    fps: float = 30.0
    times: FloatArray = None  # type: ignore[assignment]
    track_ids: IntArray = None  # type: ignore[assignment]
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        joints = _numbers(self.joints, "3D joints")
        if joints.ndim != 4 or joints.shape[2:] != (len(self.skeleton), 3) or 0 in joints.shape:
            raise DataError(
                f"3D joints of shape {joints.shape}", f"(P, T, {len(self.skeleton)}, 3)"
            )
        persons, frames, count = joints.shape[:3]
        _put(self, "joints", _or_filled(joints, joints.shape, np.nan, "3D joints"))
        _put(self, "root", _or_filled(self.root, (persons, frames, 3), np.nan, "root"))
        _put(
            self,
            "keypoints",
            _or_filled(self.keypoints, (persons, frames, count, 2), np.nan, "2D joints"),
        )
        _put(self, "scores", _or_filled(self.scores, (persons, frames, count), 0.0, "scores"))
        _put(self, "fps", checked_fps(self.fps, ""))
        _put(self, "times", _checked_times(self.times, frames, self.fps, ""))
        _put(self, "track_ids", _checked_ids(self.track_ids, persons, ""))

    @property
    def num_persons(self) -> int:
        """P."""
        return int(self.joints.shape[0])

    @property
    def num_frames(self) -> int:
        """T."""
        return int(self.joints.shape[1])

    @property
    def absolute(self) -> FloatArray:
        """(P, T, J, 3) joints in the camera frame, metres; NaN where the root is unknown."""
        return self.joints + self.root[:, :, None]


def checked_fps(fps: Any, where: str) -> float:
    """``fps`` as a float, frames per second. ``where`` begins the message.

    Raises:
        DataError: not a number from ``MIN_FPS`` to ``MAX_FPS``.
    """
    rate = _floats(fps)
    if rate is None or rate.ndim or not MIN_FPS <= rate <= MAX_FPS:
        raise DataError(f"{where}fps of {_short(fps)}", f"a number from {MIN_FPS:g} to {MAX_FPS:g}")
    return float(rate)


def _put(pose: Pose2D | Pose3D, name: str, value: Any) -> None:
    """Set a field of a frozen dataclass while it is made."""
    object.__setattr__(pose, name, value)


def _array(value: Any) -> npt.NDArray[Any]:
    """``value`` as an array; an array of text where it cannot be one."""
    try:
        return np.asarray(value)
    except (ValueError, TypeError, OverflowError, RuntimeError):  # ragged, or on another device
        return np.asarray("")


def _floats(value: Any, dtype: type[np.floating[Any]] = np.float64) -> FloatArray | None:
    """``value`` as floats, ``None`` within it as NaN; ``None`` if it is something else."""
    out = _array(value)
    if out.dtype.kind not in "biufO":
        return None
    try:
        with np.errstate(over="ignore"):  # beyond float32 is infinite
            return out.astype(dtype, copy=False)
    except (ValueError, TypeError, OverflowError):
        return None


def _numbers(value: Any, what: str, dtype: type[np.floating[Any]] = np.float32) -> FloatArray:
    """``value`` as floats; ``what`` begins the message if it is something else."""
    out = _floats(value, dtype)
    if out is None:
        raise DataError(f"{what}: {_short(value)}", "an array of numbers")
    return out


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _checked_size(size: Any, where: str) -> tuple[int, int]:
    pair = _floats(size)
    if pair is None or pair.shape != (2,) or not ((pair >= 1) & (pair <= MAX_SIDE)).all():
        raise DataError(
            f"{where}image size {_short(size)}", f"(width, height), 1 to {MAX_SIDE} pixels each"
        )
    return int(pair[0]), int(pair[1])


def _checked_scores(scores: FloatArray | None, absent: Any, where: str) -> FloatArray:
    if scores is None:
        return np.where(absent, 0.0, 1.0).astype(np.float32)
    out = _numbers(scores, f"{where}scores")
    if out.ndim == absent.ndim - 1:
        out = out[None]  # (T, J) -> (1, T, J)
    if out.shape != absent.shape:
        raise DataError(f"{where}scores of shape {out.shape}", f"{absent.shape}, as the keypoints")
    return np.where(absent | ~np.isfinite(out), np.float32(0), np.clip(out, 0, 1))


def _checked_times(times: FloatArray | None, frames: int, fps: float, where: str) -> FloatArray:
    if times is None:
        return np.arange(frames) / fps
    out = _numbers(times, f"{where}times", np.float64)
    if out.shape != (frames,):
        raise DataError(f"{where}times of shape {out.shape}", f"({frames},), one for each frame")
    if not np.isfinite(out).all() or (np.diff(out) <= 0).any():
        raise DataError(f"{where}times that do not increase", "strictly increasing seconds")
    return out


def _checked_ids(track_ids: IntArray | None, persons: int, where: str) -> IntArray:
    if track_ids is None:
        return np.arange(persons)
    given = _array(track_ids)
    whole = given.dtype.kind in "iuf"
    with np.errstate(invalid="ignore"):  # NaN and what is too large come out as other numbers
        out = given.astype(np.int64) if whole else np.zeros(0, dtype=np.int64)
    if out.shape != (persons,) or not np.array_equal(out, given) or len(np.unique(out)) != persons:
        raise DataError(
            f"{where}track ids {_short(given.tolist() if whole else track_ids)}",
            f"{persons} different whole numbers",
        )
    return out


def _or_filled(
    value: FloatArray | None, shape: tuple[int, ...], fill: float, what: str
) -> FloatArray:
    if value is None:
        return np.full(shape, fill, dtype=np.float32)
    out = _numbers(value, what)
    if out.shape != shape:
        raise DataError(f"{what} of shape {out.shape}", f"{shape}")
    if np.isinf(out).any():
        raise DataError(f"infinite numbers in {what}", "finite ones, or NaN where absent")
    return out

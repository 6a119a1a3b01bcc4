"""poselift's own keypoint file: an npz without pickles.

``keypoints`` (T, J, 2) or (P, T, J, 2) pixels, NaN where absent; ``layout``; optionally ``scores``
alike without the last axis, ``times`` (T,) s or ``fps``, ``width`` and ``height``, ``track_ids``
(P,). ``reconstruction``, as the demos of the MHFormer family write it, is read as keypoints.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError
from poselift.files import write_bytes
from poselift.keypoints.clip import DEFAULT_FPS, checked_arguments, choose_layout, fps_in, size_in
from poselift.keypoints.files import numbers
from poselift.layouts import LAYOUTS
from poselift.poses import FloatArray, Pose2D

TOOL = "poselift"
MAX_TIME = 2.0**53
"""Seconds: room for Unix timestamps, in whichever unit."""
MAX_RATIO = 3.0
"""Between ``fps`` and the rate of the times: frames may have been dropped, but not most."""
_KEYS = ("keypoints", "reconstruction")


def is_archive(arrays: Mapping[str, Any]) -> bool:
    """Whether an npz archive holds keypoints in plain arrays."""
    return any(key in arrays for key in _KEYS)


def parse(
    arrays: Mapping[str, npt.NDArray[Any]],
    where: str,
    layout: str | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
) -> Pose2D:
    """The pose in an archive; the arguments override what it says.

    Raises:
        DataError: wrong shapes or values, times that contradict the frame rate, or no layout in
            the file nor here.
    """
    checked_arguments(layout, fps, image_size)
    key = next(key for key in _KEYS if key in arrays)
    keypoints = arrays[key]
    if keypoints.ndim not in (3, 4):
        raise DataError(
            f"{where}: {key} of shape {keypoints.shape}", "(T, J, 2) or (P, T, J, 2) pixels"
        )
    shape = (None,) * (keypoints.ndim - 1)
    keypoints = numbers(keypoints, where, key, (*shape, 2))
    skeleton = choose_layout(
        keypoints.shape[-2], layout or _text(arrays, "layout", where), {}, where
    )
    scores = None
    if "scores" in arrays:
        scores = numbers(arrays["scores"], where, "scores", keypoints.shape[:-1])
    times: FloatArray | None = None
    if fps is None and "times" in arrays:
        times = numbers(arrays["times"], where, "times", (keypoints.shape[-3],), MAX_TIME)
    rate = fps or (fps_in(arrays["fps"], where) if "fps" in arrays else None)
    if rate is None and times is not None and len(times) > 1:
        rate = _rate(times, where)
    _check_rate(rate, times, where)
    if image_size is None and "width" in arrays and "height" in arrays:
        image_size = size_in(arrays["width"], arrays["height"], where)
    note = TOOL if rate else f"{TOOL}, {DEFAULT_FPS:g} fps assumed"
    pose = Pose2D(
        keypoints,
        scores,  # type: ignore[arg-type]  # None means 1, see Pose2D
        skeleton,
        fps=rate or DEFAULT_FPS,
        times=times,  # type: ignore[arg-type]  # None means frame / fps
        image_size=image_size,
        track_ids=arrays.get("track_ids"),  # type: ignore[arg-type]  # checked there
        source=where,
    )
    if not np.isfinite(pose.keypoints).any():
        raise DataError(f"{where}: no joint in any frame", "keypoints of a person")
    return replace(pose, source=f"{where} ({note})")


def write_npz(path: str | os.PathLike[str], pose: Pose2D) -> Path:
    """Write a pose as poselift's keypoint file, whole or not at all.

    Args:
        path: file to write; ``.npz`` is added if it is missing.
        pose: what to write; ``read`` gives it back equal, float32.

    Returns:
        The path written.

    Raises:
        DataError: a skeleton or times that ``read`` would not take, or the place cannot be
            written to.
    """
    out = Path(path)
    out = out if out.suffix.lower() == ".npz" else out.with_name(f"{out.name}.npz")
    name = pose.skeleton.name
    if LAYOUTS.get(name) != pose.skeleton:
        raise DataError(
            f"{out}: not written, skeleton {name!r} is not among poselift's layouts",
            f"one of {', '.join(LAYOUTS)}",
        )
    _check_rate(pose.fps, pose.times, f"{out}: not written")
    arrays: dict[str, Any] = {
        "keypoints": pose.keypoints,
        "scores": pose.scores,
        "times": pose.times,
        "fps": np.float64(pose.fps),
        "track_ids": pose.track_ids,
        "layout": np.str_(name),
    }
    if pose.image_size is not None:
        arrays["width"], arrays["height"] = map(np.int64, pose.image_size)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    write_bytes(out, stream.getvalue())
    return out


def _text(arrays: Mapping[str, npt.NDArray[Any]], key: str, where: str) -> str | None:
    if key not in arrays:
        return None
    value = arrays[key]
    if value.size != 1 or value.dtype.kind not in "US":
        raise DataError(f"{where}: {key} is no text", "a name such as coco-17")
    item = value.reshape(-1)[0]
    return item.decode("latin-1") if isinstance(item, bytes) else str(item)


def _rate(times: FloatArray, where: str) -> float:
    step = float(np.median(np.diff(times)))
    if not step > 0:
        raise DataError(f"{where}: times that do not increase", "strictly increasing seconds")
    return 1 / step


def _check_rate(fps: float | None, times: FloatArray | None, where: str) -> None:
    """Refuse a frame rate and times of which one must be wrong."""
    if fps is None or times is None or len(times) < 2:
        return
    rate = _rate(times, where)
    if not 1 / MAX_RATIO <= fps / rate <= MAX_RATIO:
        raise DataError(
            f"{where}: fps of {fps:g}, but times of {rate:.4g} frames a second",
            "one and the same rate",
        )

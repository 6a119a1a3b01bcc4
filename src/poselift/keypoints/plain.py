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
from poselift.poses import FloatArray, Pose2D

TOOL = "poselift"
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
        DataError: wrong shapes or values, or no layout in the file nor here.
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
        scores = np.clip(np.nan_to_num(scores, nan=0.0), 0, 1)
    times: FloatArray | None = None
    if fps is None and "times" in arrays:
        times = numbers(arrays["times"], where, "times", (keypoints.shape[-3],))
    rate = fps or (fps_in(arrays["fps"], where) if "fps" in arrays else None)
    if rate is None and times is not None and len(times) > 1:
        rate = _rate(times, where)
    if image_size is None and "width" in arrays and "height" in arrays:
        image_size = size_in(arrays["width"], arrays["height"], where)
    ids = None
    if "track_ids" in arrays:
        persons = keypoints.shape[0] if keypoints.ndim == 4 else 1
        ids = numbers(arrays["track_ids"], where, "track_ids", (persons,))
        if not np.isfinite(ids).all() or (ids != np.round(ids)).any():
            raise DataError(f"{where}: track_ids that are no whole numbers", "one for each person")
    note = TOOL if rate else f"{TOOL}, {DEFAULT_FPS:g} fps assumed"
    pose = Pose2D(
        keypoints,
        scores,  # type: ignore[arg-type]  # None means 1, see Pose2D
        skeleton,
        fps=rate or DEFAULT_FPS,
        times=times,  # type: ignore[arg-type]  # None means frame / fps
        image_size=image_size,
        track_ids=None if ids is None else ids.astype(np.int64),  # type: ignore[arg-type]
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
        DataError: the place cannot be written to.
    """
    out = Path(path)
    out = out if out.suffix.lower() == ".npz" else out.with_name(f"{out.name}.npz")
    arrays: dict[str, Any] = {
        "keypoints": pose.keypoints,
        "scores": pose.scores,
        "times": pose.times,
        "fps": np.float64(pose.fps),
        "track_ids": pose.track_ids,
        "layout": np.str_(pose.skeleton.name),
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

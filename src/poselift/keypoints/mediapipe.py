"""MediaPipe Pose (BlazePose): results of either API, arrays, JSON, and npz archives.

JSON: ``{"width": w, "height": h, "fps": f, "frames": [{"frame": i, "pose_landmarks": [{"x": 0..1,
"y": 0..1, "visibility": v}, ...]}]}`` or just the list of frames; ``pose_landmarks`` may hold
several persons, or be empty or null. npz: ``landmarks_px`` (T, 33, 2) pixels, ``visibility``
(T, 33), ``fps``, ``width``, ``height``, optionally ``frame`` (T,), the names of the arrays with
or without a prefix such as ``tracking_``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError, UsageError
from poselift.keypoints.clip import (
    Clip,
    checked_arguments,
    fps_in,
    from_arrays,
    present,
    size_in,
    to_pose,
)
from poselift.keypoints.files import as_dict, as_list, number, numbers
from poselift.keypoints.tracks import Detection
from poselift.layouts import MEDIAPIPE_33
from poselift.poses import Pose2D

TOOL = "MediaPipe"
_COUNT = len(MEDIAPIPE_33)
_KEY = "landmarks_px"


def from_mediapipe(
    frames: Iterable[Any],
    image_size: tuple[int, int],
    *,
    fps: float | None = None,
) -> Pose2D:
    """Poses from MediaPipe's results, one for each frame.

    Args:
        frames: for each frame the result of ``solutions.pose`` or of ``PoseLandmarker``, or an
            array (33, 2 to 5) or (n, 33, 2 to 5) of x, y, (z, visibility, presence) as fractions
            of the image, or ``None`` if nobody was found.
        image_size: (width, height) in pixels, which normalised landmarks need.
        fps: frames per second of the video, 30 if not given.

    Raises:
        UsageError: no image size.
        DataError: results of another form, or nobody in any of them.
    """
    checked_arguments(None, fps, image_size)
    if image_size is None:
        raise UsageError("no image_size", "(width, height): landmarks are fractions of it")
    clip = Clip({}, TOOL, {_COUNT: MEDIAPIPE_33.name}, image_size=image_size)
    for n, item in enumerate(frames):
        where = f"MediaPipe frame {n}"
        landmarks = getattr(item, "pose_landmarks", item)
        landmarks = getattr(landmarks, "landmark", landmarks)
        if landmarks is not None and not isinstance(landmarks, np.ndarray):
            if not isinstance(landmarks, Iterable):
                raise DataError(f"{where}: {type(item).__name__}", "a result of MediaPipe Pose")
            landmarks = [_row(entry) for entry in landmarks]
        clip.frames[n] = _persons(landmarks, image_size, where)
    return to_pose(clip, TOOL, None, fps, image_size)


def _row(entry: Any) -> Any:
    """A landmark object as a row, a list of them (a person) as a list of rows."""
    if hasattr(entry, "x"):
        return [entry.x, entry.y, 0.0, 1.0 if entry.visibility is None else entry.visibility]
    if hasattr(entry, "landmark"):
        entry = entry.landmark
    if isinstance(entry, (list, tuple)) and entry and hasattr(entry[0], "x"):
        return [_row(landmark) for landmark in entry]
    return entry


def _persons(landmarks: Any, image_size: tuple[int, int], where: str) -> list[Detection]:
    """Persons from rows of fractions of the image: (33, C), (n, 33, C), or nothing."""
    if landmarks is None or len(landmarks) == 0:
        return []
    try:
        array = np.asarray(landmarks)
    except ValueError:  # persons with different numbers of landmarks
        array = np.empty(0)
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[1] != _COUNT or not 2 <= array.shape[2] <= 5:
        raise DataError(
            f"{where}: landmarks of shape {array.shape[-2:]}", f"{_COUNT} with x, y, z, visibility"
        )
    values = numbers(array, where, "landmarks", (None, _COUNT, None))
    if np.nanmax(np.abs(values[..., :2]), initial=0) > 20:
        raise DataError(f"{where}: landmarks far outside 0..1", "fractions of the image")
    pixels = values[..., :2] * np.array(image_size)
    scores = values[..., 3] if values.shape[2] > 3 else np.ones(values.shape[:2])
    return present(
        [
            from_arrays(p, s, where, zero_is_absent=False)
            for p, s in zip(pixels, scores, strict=True)
        ]
    )


def matches(data: Any) -> bool:
    """Whether parsed JSON holds MediaPipe landmarks."""
    frames = data.get("frames") if isinstance(data, dict) else data
    return (
        isinstance(frames, list)
        and bool(frames)
        and isinstance(frames[0], dict)
        and "pose_landmarks" in frames[0]
    )


def parse(data: Any, where: str, image_size: tuple[int, int] | None = None) -> Clip:
    """All persons of a JSON file.

    Raises:
        DataError: another form, or the image size stands neither in the file nor here.
    """
    head = data if isinstance(data, dict) else {}
    if image_size is None:
        if "width" not in head or "height" not in head:
            raise DataError(
                f"{where}: normalised landmarks without the image's width and height",
                "both in the file",
                "or give the image size",
            )
        image_size = size_in(head["width"], head["height"], where)
    clip = Clip({}, TOOL, {_COUNT: MEDIAPIPE_33.name}, image_size=image_size)
    clip.fps = fps_in(head["fps"], where) if "fps" in head else None
    for n, item in enumerate(as_list(head.get("frames", data), where, "frames")):
        place = f"{where}: frame {n}"
        entry = as_dict(item, place, "the frame")
        at = number(entry.get("frame", n), place, "frame")
        if at != int(at) or at in clip.frames:
            raise DataError(f"{place}: frame {at:g} twice or broken", "one entry for each frame")
        people = as_list(entry.get("pose_landmarks") or [], place, "pose_landmarks")
        people = people if people and isinstance(people[0], list) else [people] if people else []
        clip.frames[int(at)] = [
            person
            for landmarks in people
            for person in _persons(_json_rows(landmarks, place), image_size, place)
        ]
    return clip


def _json_rows(landmarks: Any, where: str) -> list[list[float]]:
    rows = []
    for n, item in enumerate(as_list(landmarks, where, "a person's landmarks")):
        entry = as_dict(item, f"{where}: landmark {n}", "it")
        x, y = entry.get("x"), entry.get("y")
        visibility = entry.get("visibility", 1.0)
        rows.append(numbers([x, y, 0.0, visibility], where, "landmarks", (4,)).tolist())
    return rows


def is_archive(arrays: Mapping[str, Any]) -> bool:
    """Whether an npz archive holds BlazePose landmarks."""
    return any(name.endswith(_KEY) for name in arrays)


def parse_archive(arrays: Mapping[str, npt.NDArray[Any]], where: str) -> Clip:
    """All frames of an npz archive. Of several prefixes the plain one is read, then ``tracking_``.

    Raises:
        DataError: wrong shapes, or several other prefixes.
    """
    prefixes = [name.removesuffix(_KEY) for name in arrays if name.endswith(_KEY)]
    for preferred in ("", "tracking_"):
        if preferred in prefixes:
            prefixes = [preferred]
    if len(prefixes) > 1:
        raise DataError(f"{where}: landmarks of {', '.join(prefixes)}", "one of them")
    prefix = prefixes[0]
    name = prefix + _KEY
    points = numbers(arrays[name], where, name, (None, _COUNT, 2))
    visibility = arrays.get(f"{prefix}visibility", np.ones(points.shape[:2]))
    scores = numbers(visibility, where, f"{prefix}visibility", points.shape[:2])
    at = numbers(
        arrays.get(f"{prefix}frame", np.arange(len(points))), where, "frame", (len(points),)
    )
    if not np.isfinite(at).all() or (at != at.astype(int)).any() or len(set(at)) < len(at):
        raise DataError(f"{where}: frame numbers twice or broken", "one for each row")
    clip = Clip({}, TOOL, {_COUNT: MEDIAPIPE_33.name})
    for n, frame in enumerate(at.astype(int).tolist()):
        # One pose a frame, but not one person: MediaPipe goes over to another without saying so.
        person = from_arrays(points[n], scores[n], f"{where}: frame {n}", zero_is_absent=False)
        clip.frames[frame] = present([person])
    if "fps" in arrays:
        clip.fps = fps_in(arrays["fps"], where)
    if "width" in arrays and "height" in arrays:
        clip.image_size = size_in(arrays["width"], arrays["height"], where)
    return clip

"""Ultralytics YOLO pose: ``Results`` objects, and the JSON that ``Results.to_json()`` gives.

A frame is a list of ``{"name": "person", "box": {...}, "track_id": 1, "keypoints": {"x": [...],
"y": [...], "visible": [...]}}``, pixels. A video is a list of frames (parsed, or as the strings
``to_json`` returned), or a folder with one file for each. (0, 0) is a joint that was not found.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from poselift.errors import DataError
from poselift.keypoints.clip import Clip, from_arrays, present, to_pose, track_number
from poselift.keypoints.files import as_dict, as_list, numbers, parse_json
from poselift.keypoints.tracks import Detection
from poselift.poses import Pose2D

TOOL = "Ultralytics"
IMPLIED = {17: "coco-17"}


def is_frame(data: Any) -> bool:
    """Whether parsed JSON is one frame."""
    return isinstance(data, list) and bool(data) and _is_person(data[0])


def matches(data: Any) -> bool:
    """Whether parsed JSON is a frame, or a list of frames of which one has a person."""
    if not isinstance(data, list) or not data:
        return False
    if is_frame(data):
        return True
    if all(isinstance(item, str) for item in data):
        return any('"keypoints"' in item for item in data)
    return all(isinstance(item, list) for item in data) and any(is_frame(item) for item in data)


def frame(data: Any, where: str) -> list[Detection]:
    """The persons in one frame; detections of other things are passed over."""
    persons = []
    for n, item in enumerate(as_list(data, where, "the frame")):
        place = f"{where}: person {n}"
        entry = as_dict(item, place, "the detection")
        if entry.get("keypoints") is None:
            continue
        joints = as_dict(entry["keypoints"], place, "keypoints")
        x = numbers(joints.get("x"), place, "keypoints x", (None,))
        y = numbers(joints.get("y"), place, "keypoints y", (len(x),))
        persons.append(
            _person(np.stack([x, y], axis=1), joints.get("visible"), place, entry.get("track_id"))
        )
    return present(persons)


def parse(data: Any, where: str) -> Clip:
    """All detections of a JSON file."""
    if is_frame(data):
        return Clip({0: frame(data, where)}, TOOL, IMPLIED)
    frames = {}
    for n, item in enumerate(as_list(data, where, "the file")):
        place = f"{where}: frame {n}"
        content = parse_json(item.encode(), place) if isinstance(item, str) else item
        frames[n] = frame(content, place)
    return Clip(frames, TOOL, IMPLIED)


def from_ultralytics(
    results: Iterable[Any],
    layout: str | None = None,
    *,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
) -> Pose2D:
    """Poses from ``YOLO(...).predict(...)`` or ``.track(...)``, one ``Results`` for each frame.

    Args:
        results: objects with ``keypoints.data`` (n, J, 2 or 3) pixels and score, on any device,
            and, where persons were tracked, ``boxes.id`` (n,).
        layout: joint layout; COCO's 17 joints if not given.
        fps: frames per second of the video, 30 if not given.
        image_size: (width, height) in pixels; ``orig_shape`` of the results if not given.

    Raises:
        DataError: results without poses, or of another form.
    """
    frames = {}
    size = None
    for n, result in enumerate(results):
        where = f"Ultralytics result {n}"
        data = getattr(getattr(result, "keypoints", None), "data", None)
        if data is None:
            raise DataError(f"{where}: no keypoints", "results of a pose model")
        array = _array(data)
        if array.ndim != 3 or array.shape[2] not in (2, 3):
            raise DataError(f"{where}: keypoints of shape {array.shape}", "(n, J, 3)")
        ids = getattr(getattr(result, "boxes", None), "id", None)
        tracks = [None] * len(array) if ids is None else _array(ids).reshape(-1).tolist()
        if len(tracks) != len(array):
            raise DataError(f"{where}: {len(tracks)} ids for {len(array)} persons", "one for each")
        frames[n] = present(
            [
                _person(person[:, :2], person[:, 2] if person.shape[1] == 3 else None, where, track)
                for person, track in zip(array, tracks, strict=True)
            ]
        )
        shape = getattr(result, "orig_shape", None)
        size = (int(shape[1]), int(shape[0])) if shape is not None else size
    clip = Clip(frames, TOOL, IMPLIED, image_size=size)
    return to_pose(clip, TOOL, layout, fps, image_size)


def _is_person(entry: Any) -> bool:
    joints = entry.get("keypoints") if isinstance(entry, dict) else None
    return isinstance(joints, dict) and "x" in joints and "y" in joints


def _person(xy: Any, scores: Any, where: str, track: Any) -> Detection | None:
    points = numbers(xy, where, "keypoints", (None, 2))
    # Joints below the score threshold are put at (0, 0), whatever score stands beside them.
    points = np.where((points == 0).all(axis=1, keepdims=True), np.nan, points)
    return from_arrays(points, scores, where, track_number(track))


def _array(tensor: Any) -> np.ndarray[Any, Any]:
    """A numpy array from an array or a tensor on any device, without importing torch."""
    for step in ("detach", "cpu", "numpy"):
        tensor = getattr(tensor, step)() if hasattr(tensor, step) else tensor
    return np.asarray(tensor)

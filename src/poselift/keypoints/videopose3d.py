"""VideoPose3D: ``data_2d_custom_*.npz``, ``data_2d_h36m_*.npz``, and Detectron's raw output.

``positions_2d`` is {video or subject: {action: [(T, J, 2 or 3) for each camera]}}, ``metadata``
names the layout; Detectron's raw file has ``boxes`` and ``keypoints`` for each frame. They hold
pickled containers, which are read without running anything (``safe_pickle``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError
from poselift.keypoints.clip import Clip, choose_layout, from_arrays, present, size_in
from poselift.keypoints.files import numbers
from poselift.keypoints.tracks import Detection
from poselift.layouts import COCO_17, H36M_17

TOOL = "VideoPose3D"
DETECTRON = "Detectron"
_KEY = "positions_2d"


def is_archive(arrays: Mapping[str, Any]) -> bool:
    """Whether an npz archive is a data set of VideoPose3D."""
    return _KEY in arrays


def parse(arrays: Mapping[str, npt.NDArray[Any]], where: str, layout: str | None = None) -> Clip:
    """The one sequence of an archive.

    Raises:
        DataError: another form, or several sequences (use ``parse_all``).
    """
    clips = parse_all(arrays, where, layout)
    if len(clips) > 1:
        names = ", ".join(list(clips)[:3])
        raise DataError(
            f"{where}: {len(clips)} sequences ({names}, ...)",
            "one",
            "read them with poselift.keypoints.read_all",
        )
    return next(iter(clips.values()))


def parse_all(
    arrays: Mapping[str, npt.NDArray[Any]], where: str, layout: str | None = None
) -> dict[str, Clip]:
    """Every sequence by ``video/action/camera``. The layout of the metadata is used if named."""
    metadata = _content(arrays.get("metadata"))
    metadata = metadata if isinstance(metadata, dict) else {}
    layout = layout or _layout(metadata)
    clips = {}
    positions = _mapping(_content(arrays[_KEY]), f"{where}: {_KEY}")
    for video, actions in positions.items():
        for action, cameras in _mapping(actions, f"{where}: {video}").items():
            if not isinstance(cameras, (list, tuple, np.ndarray)) or len(cameras) == 0:
                raise DataError(f"{where}: {video}/{action}: no list of cameras", "[(T, J, 2)]")
            if isinstance(cameras, np.ndarray) and cameras.ndim == 3:
                cameras = [cameras]  # one camera without the list around it
            for camera, array in enumerate(cameras):
                name = f"{video}/{action}/{camera}"
                clips[name] = _clip(array, f"{where}: {name}", layout)
                clips[name].image_size = _size(metadata, video, where)
    if not clips:
        raise DataError(f"{where}: no sequences", f"{_KEY} of a video")
    return clips


def _clip(array: Any, where: str, layout: str | None) -> Clip:
    data = np.asarray(array)
    columns = data.shape[2] if data.ndim == 3 and data.shape[2] in (2, 3) else 2
    values = numbers(data, where, "positions", (None, None, columns))
    skeleton = choose_layout(values.shape[1], layout, {}, where)
    scores = values[..., 2] if columns == 3 else np.ones(values.shape[:2])
    frames: dict[int, list[Detection]] = {}
    for n, (points, confidence) in enumerate(zip(values[..., :2], scores, strict=True)):
        frames[n] = present([from_arrays(points, confidence, where, track=0, zero_is_absent=False)])
    return Clip(frames, TOOL, layout=skeleton.name)


def _layout(metadata: dict[Any, Any]) -> str | None:
    """The layout that the metadata names, or whose left and right joints it lists."""
    name = metadata.get("layout_name")
    if name in ("coco", "h36m"):
        return {"coco": COCO_17.name, "h36m": H36M_17.name}[name]
    pairs = metadata.get("keypoints_symmetry")
    if isinstance(pairs, (list, tuple)) and len(pairs) == 2:
        for skeleton in (COCO_17, H36M_17):
            sides = [
                {n for n, joint in enumerate(skeleton.joints) if joint.startswith(side)}
                for side in ("left", "right")
            ]
            if [{int(n) for n in side} for side in pairs if _is_indices(side)] == sides:
                return skeleton.name
    return None


def _is_indices(side: Any) -> bool:
    return isinstance(side, (list, tuple)) and all(isinstance(n, int) for n in side)


def _size(metadata: dict[Any, Any], video: Any, where: str) -> tuple[int, int] | None:
    videos = metadata.get("video_metadata")
    entry = videos.get(video) if isinstance(videos, dict) else None
    if not isinstance(entry, dict) or "w" not in entry or "h" not in entry:
        return None
    return size_in(entry["w"], entry["h"], f"{where}: {video}")


def is_detectron(arrays: Mapping[str, Any]) -> bool:
    """Whether an npz archive is the raw output of VideoPose3D's Detectron scripts."""
    return "boxes" in arrays and "keypoints" in arrays and arrays["keypoints"].dtype.hasobject


def parse_detectron(arrays: Mapping[str, npt.NDArray[Any]], where: str) -> Clip:
    """All persons of Detectron's raw output: ``keypoints[i][1]`` (n, 4, 17) x, y, logit, score."""
    metadata = _content(arrays.get("metadata"))
    clip = Clip({}, DETECTRON, {17: COCO_17.name})
    if isinstance(metadata, dict) and "w" in metadata and "h" in metadata:
        clip.image_size = size_in(metadata["w"], metadata["h"], where)
    if arrays["keypoints"].ndim != 1:
        raise DataError(f"{where}: keypoints of shape {arrays['keypoints'].shape}", "(T,)")
    for n, classes in enumerate(arrays["keypoints"]):
        place = f"{where}: frame {n}"
        if not isinstance(classes, (list, tuple, np.ndarray)) or len(classes) < 2:
            raise DataError(f"{place}: no classes", "[[], keypoints (n, 4, 17)]")
        persons = np.asarray(classes[1])
        if persons.size == 0:
            clip.frames[n] = []
            continue
        values = numbers(persons, place, "keypoints", (None, 4, None))
        clip.frames[n] = present([from_arrays(person[:2].T, person[3], place) for person in values])
    return clip


def _content(array: npt.NDArray[Any] | None) -> Any:
    """What a pickled 0-d object array holds."""
    return None if array is None else array.item() if array.ndim == 0 else array


def _mapping(value: Any, where: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{where} holds {type(value).__name__}", "{name: {action: [(T, J, 2)]}}")
    return value

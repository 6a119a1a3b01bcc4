"""MMPose: what the Inferencer and the demos write.

A video: ``[{"frame_id": i, "instances": [...]}]``, or ``{"meta_info": {...}, "instance_info":
[...]}``. Images: a folder with one list of instances for each. An instance: ``{"keypoints":
[[x, y], ...], "keypoint_scores": [...], "bbox": ...}``, pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from poselift.errors import DataError
from poselift.keypoints.clip import Clip, from_arrays, present, to_pose, track_number
from poselift.keypoints.files import as_dict, as_list, number
from poselift.keypoints.tracks import Detection
from poselift.poses import Pose2D

TOOL = "MMPose"
IMPLIED = {26: "halpe-26", 133: "coco-wholebody-133"}
"""17 is not among them: MMPose has COCO and Human3.6M models of 17 joints, and does not say which
unless ``meta_info`` names the data set."""
_DATA_SETS = {
    "coco": "coco-17",
    "coco_wholebody": "coco-wholebody-133",
    "body8_halpe26": "halpe-26",
    "halpe26": "halpe-26",
    "halpe": "halpe-136",
    "h36m": "h36m-17",
}


def is_frame(data: Any) -> bool:
    """Whether parsed JSON is what the Inferencer writes for one image."""
    if isinstance(data, dict):
        return "instances" in data
    return isinstance(data, list) and bool(data) and _is_instance(data[0])


def matches(data: Any) -> bool:
    """Whether parsed JSON is an MMPose result for a video or an image."""
    if isinstance(data, dict):
        return "instance_info" in data or "instances" in data
    first = data[0] if isinstance(data, list) and data else None
    return (isinstance(first, dict) and "instances" in first) or is_frame(data)


def frame(data: Any, where: str) -> list[Detection]:
    """The persons in one image."""
    instances = data["instances"] if isinstance(data, dict) else data
    return present(
        [
            _person(as_dict(entry, f"{where}: instance {n}", "it"), f"{where}: instance {n}")
            for n, entry in enumerate(as_list(instances, where, "instances"))
        ]
    )


def parse(data: Any, where: str) -> Clip:
    """All detections of a result file."""
    clip = Clip({}, TOOL, IMPLIED)
    if isinstance(data, dict) and "instance_info" in data:
        meta = data.get("meta_info")
        name = meta.get("dataset_name") if isinstance(meta, dict) else None
        clip.layout = _DATA_SETS.get(name.lower()) if isinstance(name, str) else None
        data = data["instance_info"]
    if is_frame(data):
        clip.frames[0] = frame(data, where)
        return clip
    for n, item in enumerate(as_list(data, where, "the file")):
        place = f"{where}: entry {n}"
        entry = as_dict(item, place, "the frame")
        if "instances" not in entry:
            raise DataError(f"{place}: no instances", "a list of the persons in the frame")
        at = number(entry.get("frame_id", n), place, "frame_id")
        if at != int(at) or at in clip.frames:
            raise DataError(f"{place}: frame_id {at:g} twice or broken", "one entry for each frame")
        clip.frames[int(at)] = frame(entry, place)
    return clip


def from_mmpose(
    results: Iterable[Any],
    layout: str | None = None,
    *,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
) -> Pose2D:
    """Poses from what ``MMPoseInferencer(...)(video)`` yields, one result for each frame.

    Args:
        results: each ``{"predictions": [[instance, ...]]}``; keypoints in pixels.
        layout: joint layout of the model, needed where it has 17 joints.
        fps: frames per second of the video, 30 if not given.
        image_size: (width, height) of the video in pixels.

    Raises:
        DataError: results of another form.
    """
    frames = {}
    for n, result in enumerate(results):
        where = f"MMPose result {n}"
        batch = as_list(as_dict(result, where, "it").get("predictions"), where, "predictions")
        if len(batch) > 1:
            raise DataError(f"{where}: a batch of {len(batch)}", "one image", "use batch_size=1")
        frames[n] = frame(batch[0], where) if batch else []
    return to_pose(Clip(frames, TOOL, IMPLIED), TOOL, layout, fps, image_size)


def _is_instance(entry: Any) -> bool:
    return isinstance(entry, dict) and "keypoints" in entry and "keypoint_scores" in entry


def _person(entry: dict[str, Any], where: str) -> Detection | None:
    track = track_number(entry.get("track_id"))
    return from_arrays(entry.get("keypoints"), entry.get("keypoint_scores"), where, track)

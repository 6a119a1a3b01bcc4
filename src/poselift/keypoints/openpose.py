"""OpenPose: a folder with one JSON file for each frame. Pose2Sim and rtmlib write the same.

``{"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": [x, y, c, ...]}]}``,
pixels; a joint that was not found is (0, 0, 0).
"""

from __future__ import annotations

from typing import Any

from poselift.errors import DataError
from poselift.keypoints.clip import from_triplets, present, track_number
from poselift.keypoints.files import as_dict, as_list
from poselift.keypoints.tracks import Detection

TOOL = "OpenPose"
IMPLIED = {
    25: "body-25",
    18: "coco-18",
    15: "mpi-15",
    26: "halpe-26",
    133: "coco-wholebody-133",
    136: "halpe-136",
}
"""17 is not among them: Pose2Sim and converters write COCO and other orders of 17 in this form."""


def is_frame(data: Any) -> bool:
    """Whether parsed JSON is one frame of OpenPose."""
    return isinstance(data, dict) and "people" in data


def frame(data: Any, where: str) -> list[Detection]:
    """The persons in one frame."""
    people = as_list(as_dict(data, where, "the frame").get("people"), where, "people")
    return present([person(entry, f"{where}: person {n}") for n, entry in enumerate(people)])


def person(entry: Any, where: str) -> Detection | None:
    """One entry of ``people``; ``None`` if no body joint was found."""
    fields = as_dict(entry, where, "the person")
    values = fields.get("pose_keypoints_2d", fields.get("pose_keypoints"))
    if values is None:
        raise DataError(f"{where}: no pose_keypoints_2d", "x, y, score for each joint")
    # Hands and face can be found without a body: then the list is empty.
    return from_triplets(values, where, track_number(fields.get("person_id")))

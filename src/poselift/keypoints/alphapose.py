"""AlphaPose: one list with an entry for each detection, or its ``cmu`` and ``open`` variants.

``{"image_id": "0.jpg", "keypoints": [x, y, c, ...], "score": s, "idx": track}``; the frame is the
number in ``image_id``. The variants are one object, image name -> OpenPose-like people.
"""

from __future__ import annotations

from typing import Any

from poselift.errors import DataError
from poselift.keypoints import openpose
from poselift.keypoints.clip import Clip, from_triplets, track_number
from poselift.keypoints.files import as_dict, as_list, trailing_number
from poselift.keypoints.tracks import Detection

TOOL = "AlphaPose"
IMPLIED = {
    17: "coco-17",
    18: "coco-18",
    26: "halpe-26",
    68: "halpe-68",
    133: "coco-wholebody-133",
    136: "halpe-136",
}
"""AlphaPose's models by number of joints; 18 is what its OpenPose variants make of 17."""


def matches(data: Any) -> bool:
    """Whether parsed JSON is an AlphaPose result."""
    if isinstance(data, dict):
        return bool(data) and all(
            isinstance(v, dict) and ("people" in v or "bodies" in v) for v in data.values()
        )
    entry = data[0] if isinstance(data, list) and data else None
    return (
        isinstance(entry, dict)
        and "image_id" in entry
        and "keypoints" in entry
        and ("idx" in entry or isinstance(entry["image_id"], str))
    )


def parse(data: Any, where: str) -> Clip:
    """All detections of a result file."""
    frames: dict[int, list[Detection]] = {}
    if isinstance(data, dict):
        for image, content in data.items():
            people = frames.setdefault(frame_number(image, where), [])
            for n, entry in enumerate(_people(content, f"{where}: {image}")):
                found = _variant_person(entry, f"{where}: {image}: person {n}")
                people += [found] if found else []
        return Clip(frames, TOOL, IMPLIED)
    for n, item in enumerate(as_list(data, where, "the file")):
        place = f"{where}: entry {n}"
        entry = as_dict(item, place, "the entry")
        people = frames.setdefault(frame_number(entry.get("image_id"), place), [])
        found = from_triplets(entry.get("keypoints"), place, track_number(entry.get("idx")))
        people += [found] if found else []
    return Clip(frames, TOOL, IMPLIED)


def frame_number(image: Any, where: str) -> int:
    """The last number in an image's name, or the number it is."""
    if isinstance(image, int) and not isinstance(image, bool) and 0 <= image < 10**15:
        return image
    found = trailing_number(image.rpartition(".")[0] or image) if isinstance(image, str) else None
    if found is None:
        raise DataError(f"{where}: no frame number in image_id {image!r}", "a name like 12.jpg")
    return found[1]


def _people(content: Any, where: str) -> list[Any]:
    fields = as_dict(content, where, "the frame")
    return as_list(fields.get("people", fields.get("bodies")), where, "people")


def _variant_person(entry: Any, where: str) -> Detection | None:
    fields = as_dict(entry, where, "the person")
    if "joints" in fields:
        return from_triplets(fields["joints"], where, track_number(fields.get("idx")))
    return openpose.person(fields, where)

"""COCO: a list of results, or a file of annotations.

Results: ``[{"image_id": 12, "category_id": 1, "keypoints": [x, y, score, ...], "score": s}]``.
Annotations: ``{"images": [...], "annotations": [...], "categories": [...]}``, where the third
number is 0 not labelled, 1 labelled but hidden, 2 visible; their frames are the images in order.
A ``track_id`` keeps persons apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from poselift.errors import DataError
from poselift.keypoints.clip import Clip, from_triplets, size_in, track_number
from poselift.keypoints.files import as_dict, as_list, number
from poselift.keypoints.tracks import Detection
from poselift.layouts import LAYOUTS

TOOL = "COCO"
IMPLIED = {17: "coco-17", 133: "coco-wholebody-133"}


def matches(data: Any) -> bool:
    """Whether parsed JSON is a COCO file of persons."""
    if isinstance(data, dict):
        return "annotations" in data
    entry = data[0] if isinstance(data, list) and data else None
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("image_id"), int)
        and "keypoints" in entry
        and "idx" not in entry
    )


def parse(data: Any, where: str) -> Clip:
    """All detections of a results or annotation file."""
    if isinstance(data, dict):
        return _annotations(data, where)
    frames: dict[int, list[Detection]] = {}
    for n, item in enumerate(as_list(data, where, "the file")):
        place = f"{where}: entry {n}"
        entry = as_dict(item, place, "the entry")
        people = frames.setdefault(_image(entry, place), [])
        found = from_triplets(entry.get("keypoints"), place, _track(entry))
        people += [found] if found else []
    return Clip(frames, TOOL, IMPLIED)


def _annotations(data: dict[str, Any], where: str) -> Clip:
    images = [
        as_dict(image, f"{where}: image {n}", "the image")
        for n, image in enumerate(as_list(data.get("images", []), where, "images"))
    ]
    order, size = _order(images, where), _size(images, where)
    layout = _named_layout(data.get("categories"))
    frames: dict[int, list[Detection]] = {frame: [] for frame in order.values()}
    for n, item in enumerate(as_list(data["annotations"], where, "annotations")):
        place = f"{where}: annotation {n}"
        entry = as_dict(item, place, "the annotation")
        if entry.get("keypoints") is None:
            continue  # a box or a mask of something else
        image = _image(entry, place)
        if images and image not in order:
            raise DataError(f"{place}: image {image} is not listed", "an id among the images")
        found = from_triplets(entry["keypoints"], place, _track(entry))
        if found is not None:
            visible = np.asarray(entry["keypoints"], dtype=np.float64)[2::3]
            halved = np.where(np.isnan(visible), 0, np.clip(visible / 2, 0, 1))
            found = Detection(found.keypoints, halved, found.track)
        frames.setdefault(order.get(image, image), []).extend([found] if found else [])
    return Clip(frames, TOOL, IMPLIED, layout, image_size=size)


def _image(entry: dict[str, Any], where: str) -> int:
    image = number(entry.get("image_id"), where, "image_id")
    if image != int(image) or not 0 <= image < 10**15:
        raise DataError(f"{where}: image_id {image}", "a whole number")
    return int(image)


def _track(entry: dict[str, Any]) -> int | None:
    return track_number(entry.get("track_id", entry.get("tracking_id")))


def _order(images: list[dict[str, Any]], where: str) -> dict[int, int]:
    """Image id -> frame number: the file's ``frame_id``, or the place in the order of the ids."""
    ids = [
        _image({"image_id": image.get("id")}, f"{where}: image {n}")
        for n, image in enumerate(images)
    ]
    if len(set(ids)) < len(ids):
        raise DataError(f"{where}: an image id occurs twice", "one entry for each image")
    if images and all("frame_id" in image for image in images):
        numbers = [
            _image({"image_id": image["frame_id"]}, f"{where}: image {n}, frame_id")
            for n, image in enumerate(images)
        ]
        if len(set(numbers)) < len(numbers):
            raise DataError(f"{where}: a frame_id occurs twice", "the images of one video")
        return dict(zip(ids, numbers, strict=True))
    return {image: frame for frame, image in enumerate(sorted(ids))}


def _size(images: list[dict[str, Any]], where: str) -> tuple[int, int] | None:
    sizes = {
        size_in(image["width"], image["height"], f"{where}: image {image.get('id')}")
        for image in images
        if "width" in image and "height" in image
    }
    if len(sizes) > 1:
        raise DataError(f"{where}: images of {len(sizes)} sizes", "the frames of one video")
    return sizes.pop() if sizes else None


def _named_layout(categories: Any) -> str | None:
    """The layout whose joint names a category lists, if it is one of ours."""
    for category in categories if isinstance(categories, list) else []:
        names = category.get("keypoints") if isinstance(category, dict) else None
        if isinstance(names, list):
            plain = tuple(str(name).strip().lower().replace(" ", "_") for name in names)
            for layout, skeleton in LAYOUTS.items():
                if skeleton.joints == plain:
                    return layout
    return None

"""What every reader of detections hands over, and how it becomes a Pose2D."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from poselift.errors import DataError, UsageError
from poselift.keypoints.files import number, numbers
from poselift.keypoints.tracks import Detection, link
from poselift.layouts import LAYOUTS, get_layout
from poselift.poses import MAX_FPS, MIN_FPS, FloatArray, Pose2D, checked_fps
from poselift.skeleton import Skeleton

DEFAULT_FPS = 30.0
MAX_FRAMES = 2_000_000
"""About nine hours at 60 frames a second."""
MAX_PERSONS = 1000
"""In one frame."""
MAX_JOINTS = 1_000_000_000
"""Persons times frames times joints: 12 GB of keypoints and scores."""

BODY_LAYOUTS: Mapping[int, str] = {17: "coco-17", 26: "halpe-26", 133: "coco-wholebody-133"}
"""Layouts by number of joints in tools that offer only these."""


@dataclass
class Clip:
    """Detections of a video, not yet sorted by person.

    Args:
        frames: frame number -> persons found in it; frames in between were not in the file.
        tool: what wrote the file, for messages and provenance.
        implied: number of joints -> layout, where the tool's format leaves no doubt.
        layout: the layout that the file itself names.
        fps: frames per second, if the file says.
        image_size: (width, height) pixels, if the file says.
    """

    frames: dict[int, list[Detection]]
    tool: str
    implied: Mapping[int, str] = field(default_factory=dict)
    layout: str | None = None
    fps: float | None = None
    image_size: tuple[int, int] | None = None


def checked_arguments(
    layout: str | None, fps: float | None, image_size: tuple[int, int] | None
) -> None:
    """Check what the caller says about a source.

    Raises:
        UsageError: unknown layout, or a frame rate or size out of range.
    """
    if layout is not None:
        get_layout(layout)
    if fps is not None and not (_is_number(fps) and MIN_FPS <= fps <= MAX_FPS):
        raise UsageError(f"fps of {fps}", f"a number from {MIN_FPS:g} to {MAX_FPS:g}")
    if image_size is not None:
        size = tuple(image_size) if isinstance(image_size, (tuple, list)) else ()
        if len(size) != 2 or not all(_is_number(n) and 1 <= n <= 1e6 for n in size):
            raise UsageError(f"image size {image_size}", "(width, height) in pixels")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def choose_layout(
    count: int, named: str | None, implied: Mapping[int, str], where: str
) -> Skeleton:
    """The layout of ``count`` joints: the one named, or the one the format implies.

    Raises:
        DataError: nothing names it (the number alone never does: COCO and Human3.6M both have 17
            joints), or the one named has another number of joints.
    """
    if named is None and count in implied:
        return get_layout(implied[count])
    if named is None:
        fitting = [name for name, skeleton in LAYOUTS.items() if len(skeleton) == count]
        raise DataError(
            f"{where}: {count} joints and nothing in the file that names their layout",
            "" if fitting else f"one of {', '.join(LAYOUTS)}",
            f"name it with layout= or --layout: {' or '.join(fitting)}" if fitting else "",
        )
    try:
        skeleton = get_layout(named)
    except UsageError as error:  # it stands in the file: the caller's own name was checked
        raise DataError(f"{where}: {error}") from None
    if len(skeleton) != count:
        raise DataError(
            f"{where}: {count} joints",
            f"{len(skeleton)} for layout {skeleton.name}",
            "name another",
        )
    return skeleton


def from_triplets(
    values: Any, where: str, track: int | None = None, zero_is_absent: bool = True
) -> Detection | None:
    """One person from ``[x, y, score, x, y, score, ...]``; ``None`` if no joint is there."""
    flat = numbers(values, where, "keypoints", (None,))
    if flat.size % 3:
        raise DataError(f"{where}: {flat.size} numbers in keypoints", "x, y, score for each joint")
    rows = flat.reshape(-1, 3)
    return from_arrays(rows[:, :2], rows[:, 2], where, track, zero_is_absent)


def from_arrays(
    xy: Any, scores: Any, where: str, track: int | None = None, zero_is_absent: bool = True
) -> Detection | None:
    """One person from (J, 2) pixels and (J,) scores (``None``: 1); ``None`` if no joint is there.

    Scores are cut to 0..1 (AlphaPose goes up to 6). With ``zero_is_absent`` a joint at exactly
    (0, 0) with a score of 0 or less, or without one, is absent, as detectors write it.
    """
    points = numbers(xy, where, "keypoints", (None, 2))
    if scores is None:
        confidence, unsure = np.ones(len(points)), np.full(len(points), True)
    else:
        confidence = np.asarray(numbers(scores, where, "keypoint scores", (len(points),)))
        unsure = ~(confidence > 0)
    if zero_is_absent:
        points = np.where(((points == 0).all(axis=1) & unsure)[:, None], np.nan, points)
    absent = np.isnan(points).any(axis=1)
    if absent.all():
        return None
    points[absent] = np.nan
    confidence = np.where(absent | np.isnan(confidence), 0, np.clip(confidence, 0, 1))
    return Detection(points, confidence, track)


def present(persons: Sequence[Detection | None]) -> list[Detection]:
    """The persons of whom any joint was found."""
    return [person for person in persons if person is not None]


def track_number(value: Any) -> int | None:
    """A person's number as tools write it: 3, 3.0, [3], or -1 and ``None`` for none."""
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    if not _is_number(value) or not 0 <= value < 2**53:
        return None
    return int(value)


def size_in(width: Any, height: Any, where: str) -> tuple[int, int]:
    """(width, height) as the file gives them."""
    w, h = number(width, where, "width"), number(height, where, "height")
    if not (1 <= w <= 1e6 and 1 <= h <= 1e6):
        raise DataError(f"{where}: image size {w:g} x {h:g}", "positive numbers of pixels")
    return int(w), int(h)


def fps_in(value: Any, where: str) -> float:
    """Frames per second as the file gives them."""
    return checked_fps(number(value, where, "fps"), f"{where}: ")


def to_pose(
    clip: Clip,
    where: str,
    layout: str | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
) -> Pose2D:
    """Sort detections by person and lay them out over all frames from the first to the last.

    Frames that the file does not have are NaN; times are frame number / fps. ``layout``, ``fps``
    and ``image_size`` override what the file says. Without any fps it is 30, and ``source`` of
    the result says so, and how many detections had no id of their own where others had.

    Raises:
        DataError: nobody in any frame, mixed numbers of joints, an unclear layout, coordinates
            that are no pixels, or frame numbers that are none.
        UsageError: an argument that cannot be used.
    """
    checked_arguments(layout, fps, image_size)
    counts = {len(person.keypoints) for persons in clip.frames.values() for person in persons}
    if not counts:
        raise DataError(
            f"{where}: nobody was found in any frame", f"{clip.tool} keypoints of a person"
        )
    if len(counts) > 1:
        raise DataError(
            f"{where}: persons with {' and '.join(map(str, sorted(counts)))} joints",
            "the same number for all",
        )
    skeleton = choose_layout(counts.pop(), layout or clip.layout, clip.implied, where)
    first, last = min(clip.frames), max(clip.frames)
    length = last - first + 1
    if first < 0 or length > min(MAX_FRAMES, 100 * len(clip.frames) + 1000):
        raise DataError(
            f"{where}: frame numbers from {first} to {last} for {len(clip.frames)} frames",
            "the frames of one video",
        )
    if max(map(len, clip.frames.values())) > MAX_PERSONS:
        raise DataError(f"{where}: more than {MAX_PERSONS} persons in a frame", "a video")
    tracks = link(clip.frames)
    if len(tracks) * length * len(skeleton) > MAX_JOINTS:
        raise DataError(
            f"{where}: {len(tracks)} persons over {length} frames",
            "persons that can be followed",
            "split the video",
        )
    keypoints = np.full((len(tracks), length, len(skeleton), 2), np.nan, dtype=np.float32)
    scores = np.zeros(keypoints.shape[:3], dtype=np.float32)
    for p, track in enumerate(tracks.values()):
        for frame, person in track.items():
            keypoints[p, frame - first] = person.keypoints
            scores[p, frame - first] = person.scores
    reject_normalised(keypoints, where)
    rate = fps or clip.fps
    note = clip.tool if rate else f"{clip.tool}, {DEFAULT_FPS:g} fps assumed"
    found = [person.track == name for name, track in tracks.items() for person in track.values()]
    if 0 < sum(found) < len(found):
        note += f", {len(found) - sum(found)} of {len(found)} detections without an id of their own"
    return Pose2D(
        keypoints,
        scores,
        skeleton,
        fps=rate or DEFAULT_FPS,
        times=np.arange(first, last + 1) / (rate or DEFAULT_FPS),
        image_size=image_size or clip.image_size,
        track_ids=np.array(list(tracks)),
        source=f"{where} ({note})",
    )


def reject_normalised(keypoints: FloatArray, where: str) -> None:
    """Refuse coordinates as fractions of the image, which OpenPose and others can write."""
    seen = keypoints[np.isfinite(keypoints)]
    if seen.size > 4 and np.abs(seen).max() <= 2:
        raise DataError(
            f"{where}: all coordinates lie within {np.abs(seen).max():.2g} of zero",
            "pixels, not fractions of the image",
            "write pixels, or multiply by the image size",
        )

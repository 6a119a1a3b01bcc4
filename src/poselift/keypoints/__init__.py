"""2D joints from the files and results of other tools, one module for each source.

``read`` takes any file or folder and finds out from its own fields what wrote it; ``from_*`` take
the results of tools that run in the same process. All give a ``Pose2D`` in the source's layout,
one person per track, NaN where a joint is absent. ``poselift.conversion.to_h36m`` brings it to the
joints that networks take.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from poselift.errors import DataError, UsageError
from poselift.keypoints import (
    alphapose,
    coco,
    files,
    mediapipe,
    mmpose,
    openpose,
    plain,
    ultralytics,
    videopose3d,
)
from poselift.keypoints.clip import Clip, checked_arguments, to_pose
from poselift.keypoints.gaps import GapReport, fill_gaps
from poselift.keypoints.mediapipe import from_mediapipe
from poselift.keypoints.mmpose import from_mmpose
from poselift.keypoints.plain import write_npz
from poselift.keypoints.rtmlib import from_rtmlib
from poselift.keypoints.sides import SidesReport, repair_sides
from poselift.keypoints.ultralytics import from_ultralytics
from poselift.poses import Pose2D

__all__ = [
    "SOURCES",
    "GapReport",
    "SidesReport",
    "fill_gaps",
    "from_mediapipe",
    "from_mmpose",
    "from_rtmlib",
    "from_ultralytics",
    "read",
    "read_all",
    "repair_sides",
    "write_npz",
]

SOURCES = (
    "openpose",
    "alphapose",
    "coco",
    "mmpose",
    "mediapipe",
    "ultralytics",
    "videopose3d",
    "detectron",
    "npz",
)
"""Names that ``read`` takes as ``source``."""

Arrays = Mapping[str, npt.NDArray[Any]]

_FOLDERS: dict[str, Any] = {"openpose": openpose, "mmpose": mmpose, "ultralytics": ultralytics}
# The order matters where forms contain one another: AlphaPose's entries look like COCO's.
_JSON: dict[str, Callable[[Any], bool]] = {
    "openpose": openpose.is_frame,
    "alphapose": alphapose.matches,
    "coco": coco.matches,
    "mmpose": mmpose.matches,
    "mediapipe": mediapipe.matches,
    "ultralytics": ultralytics.matches,
}
_ARCHIVES: dict[str, Callable[[Arrays], bool]] = {
    "videopose3d": videopose3d.is_archive,
    "detectron": videopose3d.is_detectron,
    "mediapipe": mediapipe.is_archive,
    "npz": plain.is_archive,
}
VIDEO_SUFFIXES = {
    *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"),
    *(".mxf", ".ogv", ".ts", ".webm", ".wmv"),
}
_KINDS = (
    "JSON of OpenPose, AlphaPose, COCO, MMPose, MediaPipe or Ultralytics, a folder of it, "
    "or an .npz of keypoints"
)


def read(
    path: str | os.PathLike[str],
    layout: str | None = None,
    *,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    source: str | None = None,
) -> Pose2D:
    """Read the 2D joints in a file or folder of any tool.

    Args:
        path: keypoint file, or folder with one JSON file for each frame.
        layout: joint layout, see ``poselift.layouts``; needed where neither the file nor its
            format names it, and overriding the file where given.
        fps: frames per second, overriding the file; 30 if neither says, and then ``source`` of
            the result says so.
        image_size: (width, height) in pixels, overriding the file.
        source: one of ``SOURCES``, if what wrote the file is not to be found out.

    Returns:
        Persons by track over all frames from the first to the last; frames that the file does not
        have are NaN; times count from the file's own frame 0.

    Raises:
        DataError: no such file, damaged, of an unknown form, or of an unclear layout; one line
            that names the file.
        UsageError: an argument that cannot be used.
    """
    checked_arguments(layout, fps, image_size)
    if source is not None and source not in SOURCES:
        raise UsageError(f"unknown source {source!r}", f"one of {', '.join(SOURCES)}")
    place = files.existing(path)
    where = str(place)
    if place.is_dir():
        clip = _read_folder(place, source)
    elif _is_archive(place):
        arrays = files.load_npz(place)
        found = _which(arrays, source, _ARCHIVES, f"{where} (arrays {', '.join(arrays)})")
        if found == "npz":
            return plain.parse(arrays, where, layout, fps, image_size)
        clip = _archive_clip(found, arrays, where, layout)
    else:
        clip = _read_json(place, source, image_size)
    return to_pose(clip, where, layout, fps, image_size)


def read_all(
    path: str | os.PathLike[str], layout: str | None = None, *, fps: float | None = None
) -> dict[str, Pose2D]:
    """Read every sequence of a VideoPose3D or Human3.6M archive.

    Returns:
        ``video/action/camera`` -> pose; any other file gives one pose under its own name.

    Raises:
        DataError: as for ``read``.
    """
    checked_arguments(layout, fps, None)
    place = files.existing(path)
    if place.is_file() and _is_archive(place):
        arrays = files.load_npz(place)
        if videopose3d.is_archive(arrays):
            clips = videopose3d.parse_all(arrays, str(place), layout)
            return {
                name: to_pose(clip, f"{place}: {name}", layout, fps) for name, clip in clips.items()
            }
    return {place.name: read(place, layout, fps=fps)}


def _which(
    data: Any, source: str | None, known: Mapping[str, Callable[[Any], bool]], where: str
) -> str:
    """The name of what wrote ``data``."""
    if source is not None:
        if source in known and known[source](data):
            return source
        raise DataError(f"{where}: not of the form of {source}", "", "leave the source out?")
    for name, matches in known.items():
        if matches(data):
            return name
    raise DataError(f"{where}: keypoints of an unknown form", _KINDS)


def _is_archive(path: Path) -> bool:
    """Whether a file is a zip by its content; other binary kinds are refused by name."""
    try:
        with path.open("rb") as stream:
            start = stream.read(12)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error})", "a readable file"
        ) from None
    if start.startswith(b"PK"):
        return True
    if path.suffix.lower() in VIDEO_SUFFIXES or _is_video(start):
        raise DataError(
            f"{path}: a video",
            "keypoints that a detector found in it",
            "`poselift lift` detects people in videos; rtmlib, MediaPipe or YOLO do as well",
        )
    if start.startswith(b"\x93NUMPY"):
        raise DataError(
            f"{path}: a bare array (.npy)", _KINDS, "save it as keypoints and layout in an .npz"
        )
    if start.startswith(b"\x80") or path.suffix.lower() in (".pkl", ".pickle"):
        raise DataError(f"{path}: a pickle, which could run code when read", _KINDS)
    if path.suffix.lower() == ".npz":
        raise DataError(f"{path}: not an npz archive", "a whole .npz file", "was it cut off?")
    return False


def _is_video(start: bytes) -> bool:
    """Whether a file's first bytes are those of MP4 or MOV, Matroska or WebM, or AVI."""
    return (
        start[4:8] == b"ftyp"
        or start.startswith(b"\x1aE\xdf\xa3")
        or (start.startswith(b"RIFF") and start[8:] == b"AVI ")
    )


def _read_json(path: Path, source: str | None, image_size: tuple[int, int] | None) -> Clip:
    data, where = files.load_json(path), str(path)
    found = _which(data, source, _JSON, where)
    if found == "openpose":
        return Clip({0: openpose.frame(data, where)}, openpose.TOOL, openpose.IMPLIED)
    if found == "alphapose":
        return alphapose.parse(data, where)
    if found == "coco":
        return coco.parse(data, where)
    if found == "mmpose":
        return mmpose.parse(data, where)
    if found == "mediapipe":
        return mediapipe.parse(data, where, image_size)
    return ultralytics.parse(data, where)


def _archive_clip(found: str, arrays: Arrays, where: str, layout: str | None) -> Clip:
    if found == "videopose3d":
        return videopose3d.parse(arrays, where, layout)
    if found == "detectron":
        return videopose3d.parse_detectron(arrays, where)
    return mediapipe.parse_archive(arrays, where)


def _read_folder(folder: Path, source: str | None) -> Clip:
    """One JSON file for each frame; files without anyone (an empty list) fit every tool."""
    frames = {
        number: (path, files.load_json(path)) for number, path in files.frame_files(folder).items()
    }
    filled = [(path, data) for path, data in frames.values() if data != []]
    if not filled:
        raise DataError(f"{folder}: nobody in any of {len(frames)} files", _KINDS)
    first, data = filled[0]
    tools = {name: tool.is_frame for name, tool in _FOLDERS.items()}
    tool = _FOLDERS[_which(data, source, tools, str(first))]
    clip = Clip({}, tool.TOOL, tool.IMPLIED)
    for number, (path, content) in frames.items():
        if content != [] and not tool.is_frame(content):
            raise DataError(f"{path}: not a frame of {tool.TOOL}", f"the same form as {first.name}")
        clip.frames[number] = tool.frame(content, str(path)) if content != [] else []
    return clip

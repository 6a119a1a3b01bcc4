"""What verbs write: motion in any format, into checked places."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from poselift.errors import DataError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from poselift.motion import Written
    from poselift.poses import Pose2D, Pose3D

FORMATS = ("npz", "json", "csv", "bvh", "trc", "c3d", "glb", "html", "svg", "mp4")
"""Formats of 3D motion and pictures of it, by extension."""

DRAWN = frozenset(("html", "svg", "mp4"))
"""Those that are looked at."""

ONE_PERSON = frozenset(("bvh", "trc", "c3d"))
"""Those with a file for each person, NAME_ID.FORMAT where there are several."""

_NEEDED = {"c3d": ("ezc3d", "formats"), "glb": ("pygltflib", "formats"), "mp4": ("av", "video")}
"""Format -> module that writes it, and the extra that brings it."""


def formats(text: str) -> tuple[str, ...]:
    """``npz,html``: several of `FORMATS`."""
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",")))
    for name in names:
        if name not in FORMATS:
            raise argparse.ArgumentTypeError(
                f"{name!r} is not a format; expected {', '.join(FORMATS)}, with commas between"
            )
    return names


def write_motion(
    pose: Pose3D, path: Path, video: Path | None = None, fps: float | None = None
) -> Written:
    """Write motion in the format that the extension names, one of `FORMATS`.

    Args:
        pose: what to write.
        path: the file.
        video: that the motion comes from, for an mp4.
        fps: frames per second in place of the video's times, if it was read so.
    """
    from poselift import motion, viewer

    extension = path.suffix.lower().removeprefix(".")
    if extension == "html":
        return motion.Written((viewer.write_html(pose, path),))
    if extension == "svg":
        return motion.Written((viewer.write_strip(pose, path),))
    if extension == "mp4":
        from poselift.viewer.video import write_mp4

        return motion.Written((path,), tuple(write_mp4(pose, path, video, fps)))
    return motion.write(pose, path)


def check_formats(names: Iterable[str]) -> None:
    """Make sure that these formats can be written, before work is spent.

    Raises:
        MissingExtraError: a library is not installed.
    """
    for name in names:
        module, extra = _NEEDED.get(name, ("", ""))
        if module and find_spec(module) is None:
            raise MissingExtraError(
                f"writing {name} needs {module}, which is not installed",
                "",
                f'pip install "poselift[{extra}]"',
            )


def check_place(path: Path, inputs: Iterable[str | Path] = ()) -> None:
    """Make sure that a file can be written here, before work is spent on it.

    Raises:
        DataError: it is a folder, or its folder is none or cannot be written.
        UsageError: it is one of the inputs.
    """
    if path.is_dir():
        raise DataError(f"{path}: is a folder", "the name of a file to write")
    check_folder(path.parent)
    for source in inputs:
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise UsageError(f"{path}: would replace the input", "", "choose another output")


def check_folder(folder: Path) -> None:
    """Make sure that a folder is there or can be made, and can be written; make nothing.

    Raises:
        DataError: it cannot.
    """
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise DataError(f"{there}: is not a folder", "a folder to write to")
    if not os.access(there, os.W_OK | os.X_OK):
        raise DataError(f"{there}: cannot be written", "a folder to write to")


def describe_motion(pose: Pose2D | Pose3D) -> str:
    """Persons and length in a few words."""
    persons = "1 person" if pose.num_persons == 1 else f"{pose.num_persons} persons"
    frames = "1 frame" if pose.num_frames == 1 else f"{pose.num_frames} frames"
    return f"{persons}, {frames} at {pose.fps:g} fps"

"""What verbs write and show: motion in any format, checked places, a line of progress."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from poselift.errors import DataError, UsageError

if TYPE_CHECKING:
    from poselift.motion import Written
    from poselift.poses import Pose2D, Pose3D

FORMATS = ("npz", "json", "csv", "bvh", "trc", "c3d", "glb", "html", "svg")
"""Formats of 3D motion and pictures of it, by extension."""


def formats(text: str) -> tuple[str, ...]:
    """``npz,html``: several of `FORMATS`."""
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",")))
    for name in names:
        if name not in FORMATS:
            raise argparse.ArgumentTypeError(
                f"{name!r} is not a format; expected {', '.join(FORMATS)}, with commas between"
            )
    return names


def write_motion(pose: Pose3D, path: Path) -> Written:
    """Write motion in the format that the extension names, one of `FORMATS`."""
    from poselift import motion, viewer

    extension = path.suffix.lower().removeprefix(".")
    if extension == "html":
        return motion.Written((viewer.write_html(pose, path),))
    if extension == "svg":
        return motion.Written((viewer.write_strip(pose, path),))
    return motion.write(pose, path)


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


class ProgressLine:
    """One line on stderr that says how far the work is; nothing where stderr is not a terminal.

    Args:
        label: what is being done.
        quiet: show nothing at all.
    """

    def __init__(self, label: str, quiet: bool = False) -> None:
        self._label = label
        self._show = not quiet and sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        """Say that ``done`` of ``total`` parts are ready."""
        if self._show:
            bar = "#" * (30 * done // max(1, total))
            print(
                f"\r{self._label} [{bar:<30}] {done}/{total}", end="", file=sys.stderr, flush=True
            )

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._show:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

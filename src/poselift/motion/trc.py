"""TRC: markers over time, for OpenSim and Pose2Sim.

One person for each file: several persons go to ``NAME_ID.trc``. Metres, Y up, columns ``Time`` in
seconds and X, Y, Z of each joint; ``NaN`` where a joint is absent, which OpenSim reads as such.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from poselift.errors import DataError, PoseliftError
from poselift.files import read_bytes, write_text
from poselift.motion.content import finite_or_absent, in_file
from poselift.motion.placement import place
from poselift.motion.points import to_pose
from poselift.motion.written import Written, person_paths
from poselift.poses import Pose3D

# OpenSim refuses any other keys, and any other order.
_KEYS = (
    "DataRate",
    "CameraRate",
    "NumFrames",
    "NumMarkers",
    "Units",
    "OrigDataRate",
    "OrigDataStartFrame",
    "OrigNumFrames",
)
METRES = {"m": 1.0, "meters": 1.0, "cm": 0.01, "mm": 0.001, "millimeters": 0.001}
"""Metres for one of each unit that marker files know."""


def write(pose3d: Pose3D, path: str | os.PathLike[str]) -> Written:
    """Write ``pose3d`` to ``path``, or one file for each of several persons.

    Raises:
        DataError: nobody is seen, infinite numbers, or the file cannot be written.
    """
    finite_or_absent(pose3d)
    paths = person_paths(pose3d, path)
    placed = place(pose3d)
    # White space would split a name into two.
    names = ["_".join(name.split()) or "joint" for name in pose3d.skeleton.joints]
    rate, frames = f"{pose3d.fps:.9g}", str(pose3d.num_frames)
    for person, file in paths.items():
        header = [
            f"PathFileType\t4\t(X/Y/Z)\t{_line(file.name)}",
            "\t".join(_KEYS),
            "\t".join([rate, rate, frames, str(len(names)), "m", rate, "1", frames]),
            "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
            "\t\t" + "\t".join(f"{axis}{i}" for i in range(1, len(names) + 1) for axis in "XYZ"),
        ]
        rows = [
            "\t".join([str(frame), f"{time:.9g}", *map(_cell, joints.ravel())])
            for frame, (time, joints) in enumerate(
                zip(pose3d.times, placed.joints[person], strict=True), start=1
            )
        ]
        write_text(file, "\n".join(header + rows) + "\n")
    return Written(tuple(paths.values()), placed.notes)


def read(path: str | os.PathLike[str]) -> Pose3D:
    """Read the markers of a TRC file, of poselift or of another program; Y is taken as up.

    Returns:
        One person; joints of ``h36m-17`` if all of them are among the markers, else the markers.

    Raises:
        DataError: no such file, or not a TRC file.
    """
    raw = read_bytes(path)
    try:
        # Not every program writes UTF-8; only names could be other.
        lines = raw.decode("utf-8-sig", "replace").splitlines()
        if len(lines) < 6 or not lines[0].startswith("PathFileType"):
            raise DataError("does not begin with PathFileType and five lines more", "a TRC file")
        values = dict(zip(lines[1].split(), lines[2].split(), strict=False))
        for key in ("DataRate", "NumMarkers", "Units"):
            if key not in values:
                raise DataError(f"no {key}", "a TRC file")
        if values["Units"].lower() not in METRES:
            raise DataError(f"units {values['Units']!r}", f"one of {', '.join(METRES)}")
        names = [name.strip() for name in lines[3].split("\t") if name.strip()][2:]
        if not names or len(names) != int(values["NumMarkers"]):
            raise DataError(f"{len(names)} markers", f"{values['NumMarkers']}, as NumMarkers says")
        rows = [_row(line, len(names)) for line in lines[5:] if line.strip()]
        table = np.array(rows, dtype=np.float64)
        if not len(table) or len(table) < int(values.get("NumFrames", 0)):
            raise DataError(
                f"{len(table)} frames", values.get("NumFrames", "at least one"), "is it complete?"
            )
        scale = METRES[values["Units"].lower()]
        points = table[:, 1:].reshape(1, len(table), len(names), 3) * scale
        if np.isinf(points).any():
            raise DataError("infinite numbers", "finite ones, or NaN where absent")
        return to_pose(points, names, None, path, fps=float(values["DataRate"]), times=table[:, 0])
    except (PoseliftError, ValueError, OverflowError) as error:
        raise in_file(Path(path), error) from error


def _cell(value: np.float64) -> str:
    return "NaN" if np.isnan(value) else f"{value:.6f}"  # micrometres


def _row(line: str, markers: int) -> list[float]:
    """Time and coordinates of a line; a blank cell is absent."""
    cells = line.split("\t")[1 : 2 + 3 * markers]
    if len(cells) < 1 + 3 * markers:
        raise DataError(f"a line of {len(cells)} cells", f"{1 + 3 * markers} and a frame number")
    return [float(cell) if cell.strip() else np.nan for cell in cells]


def _line(text: str) -> str:
    """A file name as text of one line and one column."""
    return " ".join(text.encode("utf-8", "backslashreplace").decode().split())

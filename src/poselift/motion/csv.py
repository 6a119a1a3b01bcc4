"""Motion table ``NAME.csv``: for spreadsheets and pandas; written only.

A header row, then one row for each person and frame, persons one after the other:
``track_id``, ``frame`` (from 0), ``time`` (seconds), then for each joint ``JOINT_x, JOINT_y,
JOINT_z`` in metres relative to the root joint, camera frame (x right, y down, z forward), and
last ``root_x, root_y, root_z``, the root joint in the camera frame, metres. What is not known
is an empty cell. ``pandas.read_csv`` reads it as it is. Model, licence and the 2D joints are
in the JSON and npz files, which can be read back.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from poselift.files import write_text
from poselift.motion.content import finite_or_absent
from poselift.motion.written import Written
from poselift.poses import Pose3D


def write(pose3d: Pose3D, path: str | os.PathLike[str]) -> Written:
    """Write ``pose3d`` to ``path``.

    Raises:
        DataError: infinite numbers, or the file cannot be written.
    """
    finite_or_absent(pose3d)
    columns = ["track_id", "frame", "time"]
    columns += [f"{point}_{axis}" for point in (*pose3d.skeleton.joints, "root") for axis in "xyz"]
    # Joints and root of one person and frame in one row: (P, T, 3 J + 3).
    flat = pose3d.joints.reshape(*pose3d.joints.shape[:2], -1)
    values = np.concatenate([flat, pose3d.root], axis=-1).astype(np.float32)
    # numpy's text of a float32 is the shortest that gives it back.
    cells = np.where(np.isnan(values), "", values.astype("U32"))
    times = [repr(float(time)) for time in pose3d.times]
    lines = [",".join(columns)]
    for track_id, person in zip(pose3d.track_ids, cells, strict=True):
        for frame, row in enumerate(person):
            lines.append(f"{int(track_id)},{frame},{times[frame]}," + ",".join(row.tolist()))
    write_text(path, "\n".join(lines) + "\n")
    return Written((Path(path),))

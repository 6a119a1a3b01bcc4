"""Motion file ``NAME.json``: the same content as the npz, for people and for other languages.

One object: ``meta`` (see `poselift.motion.content.describe`), ``fps``, ``times`` (seconds),
``joint_names``, ``parents`` (index, -1 for none), and ``persons``, a list of objects with
``track_id``, ``joints`` [T][J][3] metres relative to the root joint in the camera frame
(x right, y down, z forward), ``root`` [T][3] metres, ``keypoints`` [T][J][2] pixels and
``scores`` [T][J]. A number that is not known is ``null``. One frame stands on one line.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.errors import DataError, PoseliftError
from poselift.files import read_bytes, write_text
from poselift.motion.content import decimals, describe, finite_or_absent, in_file, rebuild
from poselift.motion.written import Written
from poselift.poses import Pose3D


def write(pose3d: Pose3D, path: str | os.PathLike[str]) -> Written:
    """Write ``pose3d`` to ``path``; float32 numbers come back exactly.

    Raises:
        DataError: infinite numbers, or the file cannot be written.
        UsageError: ``pose3d.meta`` does not fit into JSON.
    """
    finite_or_absent(pose3d)
    persons = [
        "  {\n"
        f'   "track_id": {int(pose3d.track_ids[p])},\n'
        f'   "joints": {_rows(pose3d.joints[p])},\n'
        f'   "root": {_rows(pose3d.root[p])},\n'
        f'   "keypoints": {_rows(pose3d.keypoints[p])},\n'
        f'   "scores": {_rows(pose3d.scores[p])}\n'
        "  }"
        for p in range(pose3d.num_persons)
    ]
    meta = json.dumps(describe(pose3d), ensure_ascii=False, indent=1).replace("\n", "\n ")
    text = (
        "{\n"
        f' "meta": {meta},\n'
        f' "fps": {json.dumps(pose3d.fps)},\n'
        f' "times": {json.dumps(pose3d.times.tolist())},\n'
        f' "joint_names": {json.dumps(pose3d.skeleton.joints, ensure_ascii=False)},\n'
        f' "parents": {json.dumps(pose3d.skeleton.parent_indices)},\n'
        ' "persons": [\n' + ",\n".join(persons) + "\n ]\n}\n"
    )
    write_text(path, text)
    return Written((Path(path),))


def read(path: str | os.PathLike[str]) -> Pose3D:
    """Read what `write` wrote.

    Raises:
        DataError: no such file, not JSON, or not a motion file; the message says why.
    """
    raw = read_bytes(path)
    try:
        content = json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse)
        persons = content["persons"]
        if not persons:
            raise DataError("no person", "at least one")
        arrays = {
            key: np.array([person[key] for person in persons], dtype=np.float64)  # null: NaN
            for key in ("joints", "root", "keypoints", "scores")
        }
        arrays["times"] = np.array(content["times"], dtype=np.float64)
        arrays["fps"] = np.array(content["fps"])
        arrays["track_ids"] = np.array([person["track_id"] for person in persons])
        return rebuild(arrays, content["joint_names"], content["parents"], content["meta"])
    except KeyError as error:
        raise in_file(path, ValueError(f"no {error.args[0]!r}")) from error
    except (PoseliftError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise in_file(path, error) from error


def _rows(values: npt.NDArray[Any]) -> str:
    """A list with one line for each frame."""
    lines = (json.dumps(row, separators=(",", ":")) for row in decimals(values))
    return "[\n    " + ",\n    ".join(lines) + "\n   ]"


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")

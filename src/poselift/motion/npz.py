"""Motion file ``NAME.npz``: arrays by name, no pickles; the form that poselift itself reads.

====================  =========================================================================
``joints``            (P, T, J, 3) float32, metres relative to the root joint, camera frame
                      (x right, y down, z forward); NaN where absent
``root``              (P, T, 3) float32, the root joint in the camera frame, metres; NaN unknown
``keypoints``         (P, T, J, 2) float32, the 2D joints that were lifted, pixels; NaN absent
``scores``            (P, T, J) float32, their confidence
``track_ids``         (P,) int64
``times``             (T,) float64, seconds
``fps``               float64
``joint_names``       (J,) text
``parents``           (J,) int64, index of each joint's parent, -1 for none
``meta``              JSON text, see `poselift.motion.content.describe`
====================  =========================================================================
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from poselift.errors import DataError, PoseliftError
from poselift.files import atomic_path, read_arrays
from poselift.motion.content import describe, finite_or_absent, in_file, rebuild
from poselift.motion.written import Written
from poselift.poses import Pose3D

KEYS = (
    "joints",
    "root",
    "keypoints",
    "scores",
    "track_ids",
    "times",
    "fps",
    "joint_names",
    "parents",
    "meta",
)


def write(pose3d: Pose3D, path: str | os.PathLike[str]) -> Written:
    """Write ``pose3d`` to ``path``.

    Raises:
        DataError: infinite numbers, or the file cannot be written.
        UsageError: ``pose3d.meta`` does not fit into JSON.
    """
    finite_or_absent(pose3d)
    meta = json.dumps(describe(pose3d), ensure_ascii=False)
    # A file object, since savez would add .npz to a name with another extension.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            joints=pose3d.joints,
            root=pose3d.root,
            keypoints=pose3d.keypoints,
            scores=pose3d.scores,
            track_ids=pose3d.track_ids,
            times=pose3d.times,
            fps=np.float64(pose3d.fps),
            joint_names=np.array(pose3d.skeleton.joints),
            parents=np.array(pose3d.skeleton.parent_indices, dtype=np.int64),
            meta=np.array(meta),
        )
    return Written((Path(path),))


def read(path: str | os.PathLike[str]) -> Pose3D:
    """Read what `write` wrote.

    Raises:
        DataError: no such file, not a motion file, or damaged; the message names the key.
    """
    arrays = read_arrays(path)
    missing = [key for key in KEYS if key not in arrays]
    if missing:
        raise DataError(
            f"{path}: has no {', '.join(missing)} but {', '.join(sorted(arrays)) or 'nothing'}",
            "a motion file of poselift",
            "a file of 2D keypoints must be lifted first: poselift lift",
        )
    try:
        meta = json.loads(str(arrays.pop("meta")))
        names, parents = arrays.pop("joint_names"), arrays.pop("parents")
        return rebuild({key: arrays[key] for key in KEYS if key in arrays}, names, parents, meta)
    except (PoseliftError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise in_file(path, error) from error

"""MPI-INF-3DHP in the layout of P-STMO: ``data_train_3dhp.npz`` and ``data_test_3dhp.npz``.

Both have one key ``data``, a pickled dictionary, which is read without running anything:

- train: {"S1 Seq1": [{camera: {"data_2d": (T, 17, 2), "data_3d": (T, 17, 3)}}, fps], ...}, cameras
  "0", "1", "2", "4", "5", "6", "7", "8";
- test: {"TS1": {"data_2d", "data_3d", "valid": (T,)}, ...}.

2D joints are the projected ground truth in pixels. 3D joints are in the camera's frame, in
millimetres, of the "universal" skeleton that the data set scales every person to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.data.clips import PairedClip
from poselift.data.mocap import Motion
from poselift.errors import DataError
from poselift.files import atomic_path
from poselift.geometry.camera import Camera
from poselift.keypoints.files import existing, load_npz, number, numbers
from poselift.layouts import MPI_INF_3DHP_17
from poselift.skeleton import H36M_17

FloatArray = npt.NDArray[np.floating[Any]]

TRAIN = tuple(f"S{n}" for n in range(1, 9))
TEST = tuple(f"TS{n}" for n in range(1, 7))
CAMERAS = ("0", "1", "2", "4", "5", "6", "7", "8")
TEST_FRAMES = {"TS1": 603, "TS2": 540, "TS3": 505, "TS4": 553, "TS5": 276, "TS6": 452}
"""Valid frames of the whole test set."""
TRAIN_FILE, TEST_FILE = "data_train_3dhp.npz", "data_test_3dhp.npz"
TEST_FPS = 25.0
"""The file does not say; no protocol uses it."""

_INDOOR, _OUTDOOR = (2048, 2048), (1920, 1080)
_SAME = {"head": "head_top"}
"""Human3.6M's end of the head is trained and measured on the crown here, as the field does."""
TO_H36M = list(MPI_INF_3DHP_17.indices([_SAME.get(j, j) for j in H36M_17.joints]))
"""Place in this data set of each joint of ``h36m-17``."""
FROM_H36M = list(np.argsort(TO_H36M))


def image_size(sequence: str) -> tuple[int, int]:
    """(width, height) of a sequence's images, pixels."""
    return _OUTDOOR if sequence in ("TS5", "TS6") else _INDOOR


def read_train(
    path: str | PathLike[str], subjects: Iterable[str] = TRAIN, cameras: Iterable[str] = CAMERAS
) -> list[PairedClip]:
    """Clips of some subjects: one for each sequence and camera, metres, joints of ``h36m-17``.

    Raises:
        DataError: not such a file, or no sequence of a subject in it.
    """
    path, data = Path(path), content(path)
    clips = []
    for subject in subjects:
        sequences = [name for name in data if name.split(" ")[0] == subject]
        if not sequences:
            raise DataError(f"{path}: no sequence of {subject} in it", f"{subject} Seq1")
        for name in sequences:
            views, fps = train_sequence(data[name], f"{path}: {name}")
            for camera in cameras:
                where = f"{path}: {name}, camera {camera}"
                if camera not in views:
                    raise DataError(f"{where}: missing", f"cameras {', '.join(CAMERAS)}")
                clips.append(_clip(f"{name}/{camera}", subject, views[camera], fps, where))
    return clips


def read_test(path: str | PathLike[str]) -> list[PairedClip]:
    """The test clips in the file, metres, joints of ``h36m-17``, valid frames marked.

    Raises:
        DataError: not such a file.
    """
    path, data = Path(path), content(path)
    clips = []
    for name, sequence in data.items():
        where = f"{path}: {name}"
        if name not in TEST or not isinstance(sequence, dict):
            raise DataError(f"{where}: not a test sequence", f"one of {', '.join(TEST)}")
        clips.append(_clip(name, name, sequence, TEST_FPS, where))
    return clips


def content(path: Path) -> dict[str, Any]:
    """What the key ``data`` holds: {sequence: content}.

    Raises:
        DataError: not such a file.
    """
    arrays = load_npz(existing(path))
    data = arrays["data"].item() if "data" in arrays and arrays["data"].ndim == 0 else None
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in data) or not data:
        raise DataError(
            f"{path}: no dictionary 'data' in it, but {', '.join(sorted(arrays))}",
            "the layout of P-STMO",
        )
    return data


def train_sequence(value: Any, where: str) -> tuple[dict[str, Any], float]:
    """({camera: arrays}, frames per second) of one training sequence."""
    views, fps = value if isinstance(value, list | tuple) and len(value) == 2 else (None, None)
    if not isinstance(views, dict):
        raise DataError(f"{where}: no pair of cameras and frame rate", "[{camera: arrays}, fps]")
    return {str(camera): view for camera, view in views.items()}, number(fps, where, "fps")


def flat(value: Any) -> Any:
    """An array in one row: some files have ``valid`` as (T, 1)."""
    return value.reshape(-1) if isinstance(value, np.ndarray) else value


def _clip(name: str, subject: str, arrays: Any, fps: float, where: str) -> PairedClip:
    if not isinstance(arrays, dict) or not {"data_2d", "data_3d"} <= arrays.keys():
        raise DataError(f"{where}: no arrays", "data_2d and data_3d")
    keypoints = numbers(arrays["data_2d"], where, "data_2d", (None, 17, 2))
    joints = numbers(arrays["data_3d"], where, "data_3d", (len(keypoints), 17, 3))
    valid = None
    if "valid" in arrays:
        valid = numbers(flat(arrays["valid"]), where, "valid", (len(keypoints),)) > 0
    return PairedClip(
        name=name,
        subject=subject,
        action="",
        keypoints=keypoints[:, TO_H36M].astype(np.float32),
        joints=(joints[:, TO_H36M] / 1000).astype(np.float32),
        image_size=image_size(name),
        fps=fps,
        valid=valid,
    )


def write_train(path: str | PathLike[str], motions: Mapping[str, Motion]) -> None:
    """A file of the same layout from any motion, for trials without the data set.

    Eight cameras stand on a circle around the person.

    Args:
        path: such as ``data_train_3dhp.npz``.
        motions: {sequence, such as ``S1 Seq1``: motion}.
    """
    data: dict[str, Any] = {}
    for name, motion in motions.items():
        views = {
            camera: _seen(motion, 2 * np.pi * n / len(CAMERAS), _INDOOR)
            for n, camera in enumerate(CAMERAS)
        }
        data[name] = [views, motion.fps]
    _write(path, data)


def write_test(
    path: str | PathLike[str], motions: Mapping[str, Motion], valid: Mapping[str, Any] | None = None
) -> None:
    """A file of the test set's layout, as `write_train`.

    Args:
        path: such as ``data_test_3dhp.npz``.
        motions: {``TS1`` to ``TS6``: motion}.
        valid: {sequence: (T,) frames to be measured}; all where it says nothing.
    """
    data: dict[str, Any] = {}
    for n, (name, motion) in enumerate(motions.items()):
        mask = (valid or {}).get(name, np.ones(motion.num_frames))
        data[name] = {
            **_seen(motion, 1.0 + n, image_size(name)),
            "valid": np.asarray(mask).astype(np.float64),
        }
    _write(path, data)


def _seen(motion: Motion, azimuth: float, size: tuple[int, int]) -> dict[str, FloatArray]:
    """Arrays of a motion from 4 m beside its farthest pelvis, chest high."""
    world = motion.joints.astype(np.float64)
    middle = world[:, 0].mean(axis=0)
    distance = 4.0 + np.linalg.norm(world[:, 0] - middle, axis=-1).max()
    heading = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    camera = Camera.look_at(
        middle + distance * heading + [0, 0, 0.4],
        middle,
        focal=0.75 * size[1],
        width=size[0],
        height=size[1],
    )
    joints = camera.world_to_camera(world)[:, FROM_H36M]
    return {
        "data_2d": camera.project(joints).astype(np.float32),
        "data_3d": (joints * 1000).astype(np.float32),
    }


def _write(path: str | PathLike[str], data: dict[str, Any]) -> None:
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, data=np.array(data, dtype=object))

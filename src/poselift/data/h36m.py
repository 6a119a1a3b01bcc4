"""Human3.6M in the layout of VideoPose3D: ``data_3d_h36m.npz`` and ``data_2d_h36m_*.npz``.

``positions_3d`` is {subject: {action: (T, 32, 3)}} in metres, world frame with z up, 50 frames per
second. ``positions_2d`` is {subject: {action: [(T', J, 2 or 3) of each of four cameras]}} in
pixels, T' >= T. Both are pickled dictionaries, which are read without running anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from poselift.conversion import to_h36m
from poselift.data.clips import PairedClip
from poselift.data.h36m_cameras import StudioCamera, cameras
from poselift.data.mocap import Motion
from poselift.errors import DataError
from poselift.files import atomic_path
from poselift.keypoints.files import existing, load_npz, numbers
from poselift.layouts import COCO_17, H36M_17, H36M_32
from poselift.poses import Pose2D
from poselift.skeleton import Skeleton

FloatArray = npt.NDArray[np.floating[Any]]
Sequences = dict[str, dict[str, Any]]

TRAIN = ("S1", "S5", "S6", "S7", "S8")
TEST = ("S9", "S11")
ACTIONS = tuple(
    "Directions Discussion Eating Greeting Phoning Photo Posing Purchases Sitting SittingDown "
    "Smoking Waiting WalkDog Walking WalkTogether".split()
)
"""Each done twice; the name of one of the takes has a suffix, such as ``Walking 1``."""
FPS = 50.0
FILE_3D = "data_3d_h36m.npz"
KEYPOINTS = ("gt", "cpn_ft_h36m_dbb", "detectron_ft_h36m", "detectron_pt_coco")
"""Detections that the field gives out, by their name in the file's."""
CORRUPT = ("S11", "Directions")
"""A recording that is broken; every loader of the field leaves it out."""

_OF_32 = list(H36M_32.indices(H36M_17.joints))
_LAYOUTS = {"h36m": H36M_17, "coco": COCO_17}


def keypoints_file(keypoints: str) -> str:
    """Name of the file with these detections.

    >>> keypoints_file("cpn_ft_h36m_dbb")
    'data_2d_h36m_cpn_ft_h36m_dbb.npz'
    """
    return f"data_2d_h36m_{keypoints}.npz"


def action_of(sequence: str) -> str:
    """The action that a sequence's name stands for.

    >>> action_of("Walking 1")
    'Walking'
    """
    return sequence.partition(" ")[0]


def read(
    folder: str | PathLike[str], keypoints: str = "gt", subjects: Iterable[str] = TEST
) -> list[PairedClip]:
    """Every clip of some subjects: four for each sequence, one for each camera.

    The 3D joints are put into the cameras' frames, the detections cut to their length. A coco
    layout is converted to Human3.6M's joints (`poselift.conversion`).

    Args:
        folder: with ``data_3d_h36m.npz`` and ``data_2d_h36m_{keypoints}.npz``.
        keypoints: which detections, such as ``gt`` or ``cpn_ft_h36m_dbb``.
        subjects: of whom; further subjects in the files are not looked at.

    Raises:
        DataError: a file is missing or damaged, or a subject or sequence is in one of them only.
    """
    folder = existing(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: is a file", f"the folder of {FILE_3D}")
    path_2d = folder / keypoints_file(keypoints)
    joints = read_sequences(folder / FILE_3D, "positions_3d")[0]
    detected, metadata = read_sequences(path_2d, "positions_2d")
    layout = layout_of(metadata, path_2d.name)
    clips = []
    for subject in subjects:
        for positions, name in ((joints, FILE_3D), (detected, path_2d.name)):
            if subject not in positions:
                raise DataError(
                    f"{folder / name}: no subject {subject} in it", ", ".join(sorted(positions))
                )
        for sequence, world in joints[subject].items():
            if (subject, sequence) == CORRUPT:
                continue
            where = f"{path_2d.name}: {subject}/{sequence}"
            world = checked_joints(world, f"{FILE_3D}: {subject}/{sequence}")
            views = views_of(detected[subject].get(sequence))
            if len(views) < 4:
                raise DataError(f"{where}: no four cameras", "a list of four arrays (T, J, 2)")
            for camera, view in zip(cameras(subject), views, strict=False):
                clips.append(_clip(subject, sequence, camera, world, view, layout, where))
    return clips


def read_sequences(path: Path, key: str) -> tuple[Sequences, dict[str, Any]]:
    """{subject: {sequence: content}} of one of the files, and its metadata.

    Raises:
        DataError: not such a file.
    """
    arrays = load_npz(existing(path))
    if key not in arrays:
        raise DataError(
            f"{path}: no {key!r} in it, but {', '.join(sorted(arrays))}",
            "the layout of VideoPose3D",
        )
    content, metadata = (_held(arrays.get(name)) for name in (key, "metadata"))
    if not _is_table(content) or not all(map(_is_table, content.values())):
        raise DataError(f"{path}: {key} is no dictionary", "{subject: {action: ...}}")
    return content, metadata if isinstance(metadata, dict) else {}


def _held(array: npt.NDArray[Any] | None) -> Any:
    """What a pickled array without axes holds."""
    return array.item() if array is not None and array.ndim == 0 else None


def _is_table(value: Any) -> bool:
    """Whether it is a dictionary by names."""
    return isinstance(value, dict) and all(isinstance(name, str) for name in value)


def views_of(value: Any) -> list[Any]:
    """The cameras of a 2D sequence; none where it is no list."""
    whole = isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)
    return list(value) if whole else []


def channels_of(view: Any) -> int:
    """Numbers of each joint: 3 where detections have a confidence, else 2."""
    return 3 if isinstance(view, np.ndarray) and view.ndim == 3 and view.shape[2] == 3 else 2


def layout_of(metadata: Mapping[str, Any], where: str) -> Skeleton:
    """The joints that the metadata names; Human3.6M's where it says nothing.

    Raises:
        DataError: joints that poselift cannot convert.
    """
    name, count = metadata.get("layout_name", "h36m"), metadata.get("num_joints", 17)
    one = np.ndim(count) == 0  # else it is compared with 17 one by one
    if not isinstance(name, str) or name not in _LAYOUTS or not one or count != 17:
        raise DataError(f"{where}: layout {name} of {count} joints", "h36m or coco of 17 joints")
    return _LAYOUTS[name]


def joints_of(world: Any) -> int:
    """Joints of a 3D sequence: 17 if somebody has taken them out of the 32, else 32."""
    return 17 if isinstance(world, np.ndarray) and world.ndim == 3 and world.shape[1] == 17 else 32


def checked_joints(world: Any, where: str) -> FloatArray:
    """(T, 17, 3) joints in the world frame, out of (T, 32, 3) or as they are."""
    joints = joints_of(world)
    array = numbers(world, where, "joints", (None, joints, 3))
    return array[:, _OF_32] if joints == 32 else array


def in_camera(camera: StudioCamera, world: FloatArray) -> FloatArray:
    """World joints (..., 3) in the camera's frame, metres."""
    return camera.pinhole.world_to_camera(world)


def _clip(
    subject: str,
    sequence: str,
    camera: StudioCamera,
    world: FloatArray,
    view: Any,
    layout: Skeleton,
    where: str,
) -> PairedClip:
    frames = len(world)
    channels = channels_of(view)
    detected = numbers(view, where, "joints", (None, len(layout), channels))
    if len(detected) < frames:
        raise DataError(
            f"{where}: camera {camera.id} has {len(detected)} frames", f"at least {frames}"
        )
    detected = detected[:frames]
    keypoints = detected[..., :2]
    scores = detected[..., 2] if channels == 3 else None
    if layout is not H36M_17:
        shown: Any = None if scores is None else scores[None]
        pose = Pose2D(keypoints[None], shown, skeleton=layout, fps=FPS, source=where)
        pose = to_h36m(pose)
        keypoints = pose.keypoints[0]
        scores = None if scores is None else pose.scores[0]
    return PairedClip(
        name=f"{subject}/{sequence}/{camera.id}",
        subject=subject,
        action=action_of(sequence),
        keypoints=keypoints.astype(np.float32),
        joints=in_camera(camera, world).astype(np.float32),
        image_size=camera.image_size,
        fps=FPS,
        scores=None if scores is None else scores.astype(np.float32),
    )


def write(
    folder: str | PathLike[str],
    motions: Mapping[tuple[str, str], Motion],
    keypoints: str = "gt",
    error: float = 0.0,
    seed: int = 0,
) -> None:
    """Files of the same layout from any motion, for trials without the data set.

    A motion is moved to the middle of the studio and seen by its four cameras, distortion
    included. Of the 32 joints those that poselift does not know lie on their parents.

    Args:
        folder: for both files.
        motions: {(subject, sequence): motion at 50 frames per second}.
        keypoints: name of the detections.
        error: standard deviation of the detections, pixels.
        seed: of these errors.

    Raises:
        DataError: another frame rate, a subject without cameras, or a motion that comes nearer
            than 1 m to a camera.
    """
    positions: Sequences = {}
    detected: Sequences = {}
    rng = np.random.default_rng(seed)
    for (subject, sequence), motion in motions.items():
        world = in_studio(motion)
        where = f"{subject}/{sequence}"
        views = []
        for camera in cameras(subject):
            exact = camera.project(far_enough(in_camera(camera, world), where))
            views.append((exact + error * rng.normal(size=exact.shape)).astype(np.float32))
        positions.setdefault(subject, {})[sequence] = _with_32(world).astype(np.float32)
        detected.setdefault(subject, {})[sequence] = views
    left = [n for n, joint in enumerate(H36M_17.joints) if joint.startswith("left")]
    right = [n for n, joint in enumerate(H36M_17.joints) if joint.startswith("right")]
    metadata = {
        "layout_name": "h36m",
        "num_joints": len(H36M_17),
        "keypoints_symmetry": [left, right],
    }
    for name, arrays in (
        (FILE_3D, {"positions_3d": positions}),
        (keypoints_file(keypoints), {"positions_2d": detected, "metadata": metadata}),
    ):
        with atomic_path(Path(folder) / name) as path:
            objects: dict[str, Any] = {k: np.array(v, dtype=object) for k, v in arrays.items()}
            np.savez_compressed(path, **objects)


def in_studio(motion: Motion) -> FloatArray:
    """(T, 17, 3) joints of a motion around the middle of the studio, metres, world frame."""
    if motion.fps != FPS:
        raise DataError(f"motion {motion.name} at {motion.fps:g} frames per second", f"{FPS:g}")
    world = motion.joints.astype(np.float64)
    world[..., :2] -= world[:, 0, :2].mean(axis=0)
    return world


def far_enough(joints: FloatArray, where: str) -> FloatArray:
    """``joints`` if all are at least 1 m in front of the camera."""
    if joints[..., 2].min() < 1:
        raise DataError(f"{where}: a joint behind or within 1 m of a camera", "a smaller motion")
    return joints


def _with_32(joints: FloatArray) -> FloatArray:
    """(T, 17, 3) -> (T, 32, 3), joints that are not among the 17 on their nearest ancestor."""
    sources = []
    for joint in H36M_32.joints:
        while joint not in H36M_17.joints:
            joint = H36M_32.parents[joint]
        sources.append(H36M_17.index(joint))
    return joints[:, sources]

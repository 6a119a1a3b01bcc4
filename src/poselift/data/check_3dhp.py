"""Checks of MPI-INF-3DHP's files in the layout of P-STMO."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from poselift.data.findings import Findings, FloatArray, some
from poselift.data.mpi_inf_3dhp import (
    CAMERAS,
    TEST,
    TEST_FRAMES,
    TO_H36M,
    TRAIN,
    content,
    flat,
    image_size,
    train_sequence,
)
from poselift.errors import DataError

_FPS = (25.0, 50.0)
_FRAMES = {
    "S1 Seq1": 6416,
    "S1 Seq2": 12430,
    "S2 Seq1": 6502,
    "S2 Seq2": 6081,
    "S3 Seq1": 12488,
    "S3 Seq2": 12283,
    "S4 Seq1": 6171,
    "S4 Seq2": 6675,
    "S5 Seq1": 12820,
    "S5 Seq2": 12312,
    "S6 Seq1": 6188,
    "S6 Seq2": 6145,
    "S7 Seq1": 6239,
    "S7 Seq2": 6320,
    "S8 Seq1": 6468,
    "S8 Seq2": 6054,
}
"""The official number of frames of each training sequence."""
_MISFIT = 0.03
"""Of the image's width, between 2D joints and the nearest pinhole projection of the 3D joints."""


def check(path: Path) -> Findings:
    """Check a training or test file: sequences, cameras, shapes, units, frames, pixels."""
    data = content(path)
    if any(re.fullmatch(r"TS\d+", name) for name in data):
        return _check_test(data)
    return _check_train(data)


def _check_train(data: dict[str, Any]) -> Findings:
    found = Findings("MPI-INF-3DHP, training (P-STMO)")
    odd = [name for name in data if name not in _FRAMES]
    if odd:
        found.problems.append(f"unknown sequences {some(odd)}; expected such as S1 Seq1")
    missing = [s for s in TRAIN if s not in {name.split(" ")[0] for name in data}]
    if missing:
        found.notes.append(f"no sequence of {some(missing)}")
    total = 0
    for name, value in data.items():
        try:
            views, fps = train_sequence(value, name)
        except DataError as error:
            found.problems.append(str(error))
            continue
        if fps not in _FPS:
            found.problems.append(f"{name}: {fps:g} frames per second; expected 25 or 50")
        absent = [camera for camera in CAMERAS if camera not in views]
        if absent:
            found.problems.append(f"{name}: no cameras {some(absent)}")
        lengths = set()
        for camera, view in views.items():
            frames = _check_clip(found, view, f"{name}, camera {camera}", image_size(name))
            if frames:
                lengths.add(frames)
                total += frames
        if len(lengths) > 1:
            found.problems.append(f"{name}: cameras with {sorted(lengths)} frames; expected one")
        elif lengths and name in _FRAMES and lengths != {_FRAMES[name]}:
            found.notes.append(f"{name}: {lengths.pop()} frames, officially {_FRAMES[name]}")
    found.facts.append(f"{total} frames of all cameras in {len(data)} sequences")
    return found


def _check_test(data: dict[str, Any]) -> Findings:
    found = Findings("MPI-INF-3DHP, test (P-STMO)")
    odd = [name for name in data if name not in TEST]
    if odd:
        found.problems.append(f"unknown sequences {some(odd)}; expected {some(TEST)}")
    missing = [name for name in TEST if name not in data]
    if missing:
        found.problems.append(f"no sequence {some(missing)}: averages are not the official ones")
    for name, sequence in data.items():
        frames = _check_clip(found, sequence, name, image_size(name))
        if not frames:
            continue
        if "valid" not in sequence:
            found.problems.append(f"{name}: no 'valid'; expected (T,) of 0 and 1")
            continue
        valid = found.array(flat(sequence["valid"]), name, "valid", (frames,))
        if valid is None:
            continue
        if not np.isin(valid, (0, 1)).all():
            found.problems.append(f"{name}: 'valid' with other numbers than 0 and 1")
        count = int((valid > 0).sum())
        found.facts.append(f"{name}: {frames} frames, {count} valid")
        if not count:
            found.problems.append(f"{name}: no frame is 'valid'; expected some to measure")
        elif name in TEST_FRAMES and count != TEST_FRAMES[name]:
            found.notes.append(f"{name}: {count} valid frames, officially {TEST_FRAMES[name]}")
    return found


def _check_clip(found: Findings, arrays: Any, where: str, size: tuple[int, int]) -> int:
    """Frames of a clip, 0 if it cannot be used."""
    if not isinstance(arrays, dict) or not {"data_2d", "data_3d"} <= arrays.keys():
        found.problems.append(f"{where}: expected data_2d and data_3d")
        return 0
    keypoints = found.array(arrays["data_2d"], where, "data_2d", (None, 17, 2))
    joints = found.array(arrays["data_3d"], where, "data_3d", (None, 17, 3))
    if keypoints is None or joints is None:
        return 0
    if len(keypoints) != len(joints):
        found.problems.append(f"{where}: {len(keypoints)} frames in 2D, {len(joints)} in 3D")
        return 0
    body = joints[:, TO_H36M]
    good = found.check_pixels(keypoints, where, size)
    good &= found.check_unit(body, where, "mm")
    if np.median(body[:, 0, 2]) < 500:
        found.problems.append(
            f"{where}: the pelvis is {np.median(body[:, 0, 2]):.0f} mm in front of the camera; "
            "expected joints in the camera's frame, not relative to the pelvis or in the world"
        )
    elif good:
        misfit = _pinhole_misfit(keypoints, joints)
        if misfit > _MISFIT * size[0]:
            found.problems.append(
                f"{where}: no camera projects the 3D joints onto the 2D ones ({misfit:.0f} px); "
                "other frames, joints or axes?"
            )
    return len(joints)


def _pinhole_misfit(keypoints: FloatArray, joints: FloatArray) -> float:
    """Median distance of (T, J, 2) pixels from the best projection f x / z + c (least squares)."""
    ahead = joints[..., 2] > 100
    points, pixels = joints[ahead], keypoints[ahead]
    error = []
    for axis in (0, 1):
        rows = np.stack([points[:, axis] / points[:, 2], np.ones(len(points))], axis=-1)
        fit = np.linalg.lstsq(rows, pixels[:, axis], rcond=None)[0]
        error.append(rows @ fit - pixels[:, axis])
    return float(np.median(np.hypot(*error)))

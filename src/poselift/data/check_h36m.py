"""Checks of Human3.6M's files in the layout of VideoPose3D."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from poselift.data.findings import WORLD, Findings, FloatArray, misplaced, some, upright
from poselift.data.h36m import (
    ACTIONS,
    CORRUPT,
    FILE_3D,
    TEST,
    TRAIN,
    Sequences,
    action_of,
    channels_of,
    checked_joints,
    in_camera,
    joints_of,
    layout_of,
    read_sequences,
    views_of,
)
from poselift.data.h36m_cameras import CAMERA_IDS, HEIGHTS, SUBJECTS, WIDTH, cameras
from poselift.errors import DataError
from poselift.layouts import H36M_17
from poselift.skeleton import Skeleton

_FAR = 100.0
"""Pixels: more between detections and projected truth is no error of a detector."""


def check_3d(path: Path) -> Findings:
    """Check ``data_3d_h36m.npz``: subjects, actions, shapes, unit, world frame."""
    found = Findings("Human3.6M, 3D joints (VideoPose3D)")
    positions, _ = read_sequences(path, "positions_3d")
    _check_names(found, positions)
    frames = 0
    lying: dict[str, dict[str, bool]] = {}  # of each subject's sequences
    for subject, name, value in _each(positions):
        where = f"{subject}/{name}"
        array = found.array(value, where, "joints", (None, joints_of(value), 3))
        if array is None:
            continue
        frames += len(array)
        body = checked_joints(array, where)
        if found.check_unit(body, where, "m") and _check_place(found, subject, body, where):
            lying.setdefault(subject, {})[where] = not upright(body)
    found.check_lying(lying)
    found.facts.append(f"{frames} frames of {sum(map(len, positions.values()))} sequences")
    return found


def check_2d(path: Path) -> Findings:
    """Check ``data_2d_h36m_*.npz``: metadata, cameras, shapes, pixels.

    Where ``data_3d_h36m.npz`` lies beside it: also that every 3D sequence has detections, that
    they are long enough, and that they belong to the cameras in their order.
    """
    found = Findings("Human3.6M, 2D joints (VideoPose3D)")
    positions, metadata = read_sequences(path, "positions_2d")
    _check_names(found, positions)
    layout = _check_metadata(found, metadata, path.name)
    beside = path.with_name(FILE_3D)
    truth: Sequences | None = None
    if beside.exists():
        truth = read_sequences(beside, "positions_3d")[0]
        found.facts.append(f"compared with {beside.name}")
        _check_complete(found, positions, truth)
    else:
        found.notes.append(f"no {FILE_3D} beside it: lengths and cameras are not compared")
    frames = 0
    distances: list[float] = []
    for subject, name, value in _each(positions):
        where, views = f"{subject}/{name}", views_of(value)
        if len(views) != len(CAMERA_IDS):
            found.problems.append(f"{where}: {len(views)} cameras; expected {len(CAMERA_IDS)}")
            continue
        arrays = []
        for camera, view in zip(CAMERA_IDS, views, strict=True):
            at = f"{where}, camera {camera}"
            array = found.array(view, at, "joints", (None, len(layout), channels_of(view)))
            if array is None:
                continue
            frames += len(array)
            if found.check_pixels(array[..., :2], at, (WIDTH, HEIGHTS[camera])):
                arrays.append(array[..., :2])
        world = (truth or {}).get(subject, {}).get(name)
        whole = len(arrays) == len(CAMERA_IDS) and (subject, name) != CORRUPT
        if world is not None and whole and subject in SUBJECTS:
            distances += _check_views(found, subject, where, arrays, world, layout)
    found.facts.append(f"{frames} frames of all cameras, layout {layout.name}")
    if distances:
        found.facts.append(f"{np.median(distances):.2f} px from the projected 3D joints")
    return found


def _each(positions: Sequences) -> list[tuple[str, str, Any]]:
    return [(s, name, value) for s, actions in positions.items() for name, value in actions.items()]


def _check_names(found: Findings, positions: Sequences) -> None:
    if not any(positions.values()):
        found.problems.append("no sequence in it; expected such as S9/Walking")
    if positions:
        found.facts.append(f"subjects {', '.join(positions)}")
    unknown = [s for s in positions if s not in SUBJECTS]
    if unknown:
        found.notes.append(f"subjects without 3D joints and cameras: {some(unknown)}")
    missing = [s for s in (*TRAIN, *TEST) if s not in positions]
    if missing:
        found.notes.append(f"no subject {some(missing)}")
    for subject, actions in positions.items():
        odd = [name for name in actions if action_of(str(name)) not in ACTIONS]
        if odd:
            found.problems.append(f"{subject}: unknown actions {some(odd)}")
        absent = [a for a in ACTIONS if a not in {action_of(str(name)) for name in actions}]
        if absent and subject in SUBJECTS:
            found.notes.append(f"{subject}: no {some(absent)}")
        if subject == CORRUPT[0] and CORRUPT[1] in actions:
            found.notes.append("S11/Directions is a broken recording; readers leave it out")


def _check_place(found: Findings, subject: str, joints: FloatArray, where: str) -> bool:
    """Whether the person moves, on the floor, in front of the subject's cameras: a world frame."""
    if (problem := misplaced(joints)) is not None:
        found.problems.append(f"{where}: {problem}")
        return False
    known = cameras(subject) if subject in SUBJECTS else ()
    depth = [np.median(in_camera(camera, joints)[..., 2]) for camera in known]
    if known and min(depth) < 1:
        found.problems.append(
            f"{where}: the person is {min(depth):.1f} m in front of a camera; {WORLD}, not in a "
            "camera's or relative to the pelvis"
        )
        return False
    return True


def _check_metadata(found: Findings, metadata: dict[str, Any], name: str) -> Skeleton:
    if not metadata:
        found.notes.append("no metadata; Human3.6M's 17 joints are assumed")
        return H36M_17
    try:
        layout = layout_of(metadata, name)
    except DataError as error:
        found.problems.append(str(error))
        return H36M_17
    sides = [
        [n for n, joint in enumerate(layout.joints) if joint.startswith(side)]
        for side in ("left", "right")
    ]
    given = metadata.get("keypoints_symmetry")
    try:
        same = given is None or [sorted(int(n) for n in side) for side in given] == sides
    except (TypeError, ValueError):
        same = False
    if not same:
        found.problems.append(f"metadata: keypoints_symmetry {given}; expected {sides}")
    return layout


def _check_complete(found: Findings, positions: Sequences, truth: Sequences) -> None:
    for subject, actions in truth.items():
        missing = [
            name
            for name in actions
            if name not in positions.get(subject, {}) and (subject, name) != CORRUPT
        ]
        if missing:
            found.problems.append(f"{subject}: no detections of {some(missing)}")


def _check_views(
    found: Findings,
    subject: str,
    where: str,
    views: list[FloatArray],
    world: Any,
    layout: Skeleton,
) -> list[float]:
    """Lengths, and whether the detections lie on the projected joints of their camera.

    Returns:
        Their distance in each camera, pixels, if they do.
    """
    try:
        joints = checked_joints(world, where)
    except DataError:
        return []  # the check of the 3D file says so
    T = len(joints)
    short = [len(view) for view in views if len(view) < T]
    if short:
        found.problems.append(f"{where}: detections of {min(short)} frames; expected {T} or more")
        return []
    # Joints that all layouts have; every tenth frame tells enough.
    common = [joint for joint in H36M_17.joints if joint in layout.joints]
    mine, theirs = list(layout.indices(common)), list(H36M_17.indices(common))
    exact = [c.project(in_camera(c, joints[::10, theirs])) for c in cameras(subject)]
    distance = np.array(
        [[np.median(np.linalg.norm(v[:T:10, mine] - e, axis=-1)) for e in exact] for v in views]
    )  # (detections, cameras)
    own = np.diagonal(distance)
    orders = list(permutations(range(len(views))))
    best = min(orders, key=lambda order: sum(distance[n, k] for n, k in enumerate(order)))
    if 2 * max(distance[n, k] for n, k in enumerate(best)) < own.max():
        order = ", ".join(CAMERA_IDS[k] for k in best)
        found.problems.append(f"{where}: cameras in the order {order}; expected {some(CAMERA_IDS)}")
    elif own.max() > _FAR:
        found.problems.append(
            f"{where}: {own.max():.0f} px from the projected 3D joints in some camera; other "
            "cameras, frames or image sizes?"
        )
    else:
        return [float(d) for d in own]
    return []

"""Lifted people made steady: smooth joints, and standing feet that stay where they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from poselift.geometry.contact import foot_contacts, lock_feet
from poselift.geometry.smooth import whittaker
from poselift.geometry.world import World, to_world
from poselift.poses import Pose3D

CUTOFF = 6.0
"""Hz: what people do lies below it, and most of what detectors add lies above."""


def smooth_pose(pose: Pose3D, cutoff: float = CUTOFF) -> Pose3D:
    """Smooth joints and roots over time without delay (`poselift.geometry.smooth.whittaker`).

    Args:
        pose: of any length; what is NaN stays NaN.
        cutoff: Hz at which half of a movement's amplitude is left.

    Returns:
        The pose, with ``smoothing`` in its ``meta``.

    Raises:
        UsageError: a cutoff that is not positive.
    """
    joints, root = pose.joints.copy(), pose.root.copy()
    for person in range(pose.num_persons):  # one after the other, for the sake of memory
        joints[person] = whittaker(joints[person], pose.times, cutoff)
        root[person] = whittaker(root[person], pose.times, cutoff)
    meta = {**pose.meta, "smoothing": {"filter": "whittaker", "cutoff_hz": float(cutoff)}}
    return replace(pose, joints=joints, root=root, meta=meta)


def plant_feet(pose: Pose3D, world: World) -> Pose3D:
    """Hold standing feet still, on the floor (`poselift.geometry.contact.lock_feet`).

    Args:
        pose: with roots.
        world: of this pose, as `poselift.geometry.world.place` gives both.

    Returns:
        The pose, with ``foot_lock`` in its ``meta``: for each person the frames in which a foot
        stands. Frames without a root come back as they are.
    """
    joints = to_world(pose, world)  # (P, T, J, 3)
    contacts = foot_contacts(joints, pose.times, skeleton=pose.skeleton)
    held = lock_feet(joints, contacts, pose.times, ground=True, skeleton=pose.skeleton)
    camera = world.seen(held)
    root = camera[:, :, pose.skeleton.index(pose.skeleton.root or "pelvis")]
    relative = camera - root[:, :, None]
    meta = {
        **pose.meta,
        "foot_lock": {"standing_frames": contacts.any(axis=-1).sum(axis=1).tolist()},
    }
    return replace(
        pose,
        joints=np.where(np.isfinite(relative), relative, pose.joints),
        root=np.where(np.isfinite(root), root, pose.root),
        meta=meta,
    )

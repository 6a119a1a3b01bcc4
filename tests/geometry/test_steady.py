"""Smoothing and standing feet of whole poses."""

from __future__ import annotations

import numpy as np
import pytest

from poselift.data.procedural import generate
from poselift.errors import UsageError
from poselift.geometry.contact import ANKLE_HEIGHT
from poselift.geometry.steady import plant_feet, smooth_pose
from poselift.geometry.world import fit_world, place, to_world
from poselift.metrics.motion import acceleration
from poselift.poses import Pose3D
from poselift.skeleton import H36M_17

ANKLES = list(H36M_17.indices(["left_ankle", "right_ankle"]))


@pytest.fixture(scope="module")
def walk() -> Pose3D:
    """A walk seen by a level camera 1 m above the floor, with trembling joints and root."""
    rng = np.random.default_rng(0)
    joints = generate("walk", 2.0, 50.0, seed=3).joints.astype(np.float64)
    camera = np.stack([joints[..., 0], 1 - joints[..., 2], joints[..., 1] + 5], axis=-1)[None]
    camera += rng.normal(scale=0.01, size=camera.shape)
    root = camera[:, :, 0]
    return Pose3D(camera - root[:, :, None], root, fps=50.0, meta={"source": "walk"})


def with_gaps(pose: Pose3D) -> Pose3D:
    """Two persons, one of them absent for a while and without a place for longer."""
    joints, root = np.repeat(pose.joints, 2, axis=0), np.repeat(pose.root, 2, axis=0)
    joints[1, 20:30] = root[1, 15:35] = np.nan
    return Pose3D(joints, root, fps=50.0)


def test_smoothing_takes_the_trembling_out(walk):
    smooth = smooth_pose(walk)
    assert acceleration(smooth.absolute).mean() < acceleration(walk.absolute).mean() / 3
    assert np.linalg.norm(smooth.absolute - walk.absolute, axis=-1).mean() < 0.03
    assert smooth.meta == {**walk.meta, "smoothing": {"filter": "whittaker", "cutoff_hz": 6.0}}
    with pytest.raises(UsageError, match="cutoff"):
        smooth_pose(walk, 0)


def test_smoothing_keeps_gaps(walk):
    pose = with_gaps(walk)
    smooth = smooth_pose(pose)
    np.testing.assert_array_equal(np.isnan(smooth.joints), np.isnan(pose.joints))
    np.testing.assert_array_equal(np.isnan(smooth.root), np.isnan(pose.root))
    # Persons do not know each other.
    np.testing.assert_array_equal(smooth.joints[0], smooth_pose(walk).joints[0])


def test_planted_feet_rest_on_the_floor(walk):
    world = fit_world(walk.absolute, walk.times, pitch=0.0)
    planted = plant_feet(walk, world)
    stands = planted.meta["foot_lock"]["standing_frames"]
    assert len(stands) == 1
    assert 50 <= stands[0] <= walk.num_frames
    np.testing.assert_allclose(planted.joints[:, :, 0], 0, atol=1e-6)
    lowest = to_world(planted, world)[:, :, ANKLES, 2].min(axis=2)[0]
    on_floor = np.abs(lowest - ANKLE_HEIGHT) < 0.005
    before = np.abs(to_world(walk, world)[:, :, ANKLES, 2].min(axis=2)[0] - ANKLE_HEIGHT) < 0.005
    assert on_floor.sum() > 2 * before.sum()
    assert np.linalg.norm(planted.absolute - walk.absolute, axis=-1).max() < 0.3


def test_people_without_a_place_are_left_as_they_are(walk):
    pose = with_gaps(walk)
    world = fit_world(walk.absolute, walk.times, pitch=0.0)
    planted = plant_feet(pose, world)
    gone = np.isnan(pose.root).any(axis=-1)
    np.testing.assert_array_equal(planted.joints[gone], pose.joints[gone])
    np.testing.assert_array_equal(np.isnan(planted.joints), np.isnan(pose.joints))
    np.testing.assert_array_equal(np.isnan(planted.root), np.isnan(pose.root))


def test_the_world_and_back(walk):
    world = fit_world(walk.absolute, walk.times, pitch=12.0, roll=3.0)
    np.testing.assert_allclose(world.seen(world.points(walk.absolute)), walk.absolute, atol=1e-6)
    matrix = world.describe()["camera_to_world"]
    by_hand = walk.absolute @ np.transpose(matrix["rotation"]) + matrix["position_m"]
    np.testing.assert_allclose(by_hand, world.points(walk.absolute), atol=1e-3)


def test_place_says_how_the_camera_stood(walk):
    focal = 1000.0
    pixels = walk.absolute[..., :2] / walk.absolute[..., 2:] * focal + 500
    pose = Pose3D(walk.joints, keypoints=pixels, scores=np.ones(pixels.shape[:-1]), fps=50.0)
    placed, world = place(pose, focal=focal, image_size=(1000, 1000))
    np.testing.assert_allclose(
        placed.meta["world"]["camera_to_world"]["position_m"], [0, 0, world.height], atol=1e-3
    )

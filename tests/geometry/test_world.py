"""The room around the camera."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poselift.data.mocap import read_motions
from poselift.data.procedural import generate
from poselift.errors import DataError, UsageError
from poselift.evaluation.mocap import FOCAL, IMAGE_SIZE, detector_noise
from poselift.evaluation.mocap import cameras as protocol_cameras
from poselift.geometry.camera import Camera
from poselift.geometry.contact import foot_contacts, lock_feet
from poselift.geometry.root import solve_root
from poselift.geometry.rotation import rotation_about
from poselift.geometry.smooth import whittaker
from poselift.geometry.trajectory import stature
from poselift.geometry.world import camera_up, fit_world, floor_hints, place, to_world, trunk_up
from poselift.poses import Pose3D
from poselift.skeleton import H36M_17

ANKLES = list(H36M_17.indices(["left_ankle", "right_ankle"]))


def camera_at(pitch=10.0, roll=0.0, height=1.6, distance=6.0, heading=30.0):
    """A camera in front of the origin, by its angles in degrees."""
    angle = np.radians(heading)
    forward = np.array([-np.cos(angle), -np.sin(angle), 0])
    level = np.stack([np.cross(forward, [0, 0, 1.0]), [0, 0, -1.0], forward])
    tip = rotation_about("x", np.radians(-pitch)).T @ level
    turned = rotation_about("z", np.radians(roll)).T @ tip
    position = np.append(-distance * forward[:2], height)
    return Camera(turned, position, FOCAL, np.full(2, 500), *IMAGE_SIZE)


@pytest.fixture(scope="module")
def walk():
    """A walk (T, 17, 3) in the world about the origin, and its times."""
    motion = generate("walk", 6.0, 50.0, seed=3)
    joints = motion.joints.astype(np.float64)
    joints[..., :2] -= joints[:, 0, :2].mean(axis=0)
    return joints, np.arange(len(joints)) / 50


def seen(camera, joints):
    return camera.world_to_camera(joints)[None]


def angle_between(a, b):
    return np.degrees(np.arccos(np.clip(a @ b, -1, 1)))


def lifted(camera, joints, times, noise=0.0, size=1.0, **meta):
    """What a lifter might say of it: joints with errors that last, and exact pixels."""
    true = camera.world_to_camera(joints)
    rng = np.random.default_rng(0)
    wrong = whittaker(rng.normal(size=true.shape), times, 2.0) * noise * 3 if noise else 0.0
    relative = (true - true[:, :1] + wrong) * size
    return Pose3D(
        joints=(relative - relative[:, :1])[None],
        keypoints=camera.project(true)[None],
        scores=np.ones((1, *true.shape[:2])),
        fps=50.0,
        meta={"focal_px": FOCAL, "image_size": list(IMAGE_SIZE), **meta},
    )


@given(st.floats(-80, 80), st.floats(-170, 170))
def test_angles_of_a_camera(pitch, roll):
    up = camera_up(pitch, roll)
    np.testing.assert_allclose(up, camera_at(pitch, roll).rotation[:, 2], atol=1e-12)
    assert np.linalg.norm(up) == pytest.approx(1)


@given(st.floats(-15, 40), st.floats(-6, 6), st.floats(0.5, 3.0), st.floats(0, 360))
@settings(max_examples=15, deadline=None)
def test_a_walker_tells_the_floor(pitch, roll, height, heading):
    motion = generate("walk", 6.0, 25.0, seed=3)
    joints, times = motion.joints.astype(np.float64), np.arange(150) / 25
    camera = camera_at(pitch, roll, height, heading=heading)
    world = fit_world(seen(camera, joints), times)
    assert angle_between(world.up, camera.rotation[:, 2]) < 2.0
    assert world.height == pytest.approx(height, abs=0.25)
    assert world.pitch == pytest.approx(pitch, abs=2.0)
    assert world.roll == pytest.approx(roll, abs=3.0)
    np.testing.assert_allclose(world.rotation.T @ world.rotation, np.eye(3), atol=1e-9)
    assert np.linalg.det(world.rotation) > 0


def test_world_frame(walk):
    joints, times = walk
    camera = camera_at(pitch=20)
    world = fit_world(seen(camera, joints), times)
    inside = world.points(seen(camera, joints))
    np.testing.assert_allclose(world.points(np.zeros(3)), [0, 0, world.height], atol=1e-12)
    # Straight on lies along y, and right is x.
    ahead = world.points(np.array([0, 0, 1.0])) - world.position
    assert abs(ahead[0]) < 1e-9
    assert ahead[1] > 0.9
    assert world.points(np.array([1.0, 0, 0]))[0] > 0.99
    # The walk is the same walk, turned about the vertical.
    np.testing.assert_allclose(inside[0, ..., 2], joints[..., 2], atol=0.1)
    assert foot_contacts(inside, times).any(axis=(0, 1)).all()


def test_given_angles_and_height_are_taken(walk):
    joints, times = walk
    camera = camera_at(pitch=12, roll=3)
    world = fit_world(
        seen(camera, joints), times, pitch=12, roll=3, camera_height=1.6, sizes_known=True
    )
    assert (world.method, world.scale, world.height) == ("given", 1.0, 1.6)
    assert angle_between(world.up, camera.rotation[:, 2]) < 0.01


def test_camera_height_tells_the_size(walk):
    joints, times = walk
    camera = camera_at(pitch=12)
    small = seen(camera, joints) * 0.9
    world = fit_world(small, times, camera_height=1.6, pitch=12.0)
    assert world.scale == pytest.approx(1 / 0.9, rel=0.05)
    assert world.height == 1.6


def test_who_stands_still_tells_by_the_trunk():
    motion = generate("wave", 4.0, 50.0, seed=2)
    joints, times = motion.joints.astype(np.float64), np.arange(200) / 50
    joints[..., :2] -= joints[:, 0, :2].mean(axis=0)
    camera = camera_at(pitch=25)
    world = fit_world(seen(camera, joints), times)
    assert world.method == "trunk"
    assert angle_between(world.up, camera.rotation[:, 2]) < 4
    assert world.tilt_sigma > 2
    walker = generate("walk", 6.0, 50.0, seed=3)
    sure = fit_world(seen(camera, walker.joints.astype(np.float64)), np.arange(300) / 50)
    assert sure.method in {"feet", "feet and trunk"}
    assert sure.tilt_sigma < world.tilt_sigma


def test_trunk_of_nobody_upright(walk):
    joints, _ = walk
    bent = joints[None].copy()
    bent[:, :, H36M_17.index("thorax"), 2] = 0.2
    assert trunk_up(bent) is None
    assert trunk_up(np.full_like(bent, np.nan)) is None
    np.testing.assert_allclose(trunk_up(joints[None]), [0, 0, 1], atol=0.1)


def test_one_frame_and_lying_people(walk):
    joints, times = walk
    camera = camera_at(pitch=10)
    world = fit_world(seen(camera, joints[:1]), times[:1])
    assert world.contacts == 0
    assert np.isnan(world.floor_rms)
    assert 1.0 < world.height < 2.2
    flat = joints[:1, :, [2, 1, 0]] * [1, 1, 0.1]  # stretched out on the floor
    lying = fit_world(seen(camera, flat), times[:1])
    assert lying.method == "camera"
    json.dumps(lying.describe(), allow_nan=False)


def test_nobody_has_feet(walk):
    joints, times = walk
    nobody = seen(camera_at(), joints)
    nobody[:, :, ANKLES] = np.nan
    with pytest.raises(DataError, match="feet"):
        fit_world(nobody, times)


def test_place_puts_people_on_the_floor(walk):
    joints, times = walk
    camera = camera_at(pitch=8)
    pose = lifted(camera, joints, times, noise=0.03, model="a network")
    placed, world = place(pose)
    inside = to_world(placed, world)
    assert inside.shape == (1, 300, 17, 3)
    standing = foot_contacts(joints[None], times)
    assert (
        np.abs(inside[:, :, ANKLES, 2][standing] - joints[None][:, :, ANKLES, 2][standing]).mean()
        < 0.06
    )
    assert angle_between(world.up, camera.rotation[:, 2]) < 2.5
    root = camera.world_to_camera(joints)[:, 0]
    assert np.linalg.norm(placed.root[0] - root, axis=-1).mean() < 0.12
    # He walks as far as he walked.
    way = np.linalg.norm(inside[0, -1, 0, :2] - inside[0, 0, 0, :2])
    assert way == pytest.approx(np.linalg.norm(joints[-1, 0, :2] - joints[0, 0, :2]), rel=0.1)
    assert placed.meta["model"] == "a network"
    assert placed.meta["trajectory"]["height_given_m"] is None
    assert placed.meta["world"]["foot_contacts"] > 3
    assert world.scale == 1
    json.dumps(placed.meta, allow_nan=False)


def test_place_knows_the_height(walk):
    joints, times = walk
    camera = camera_at(pitch=8)
    tall = float(stature(joints[None])[0])
    placed, _ = place(lifted(camera, joints, times, size=0.85), height=tall)
    root = camera.world_to_camera(joints)[:, 0]
    assert np.linalg.norm(placed.root[0] - root, axis=-1).mean() < 0.03
    assert placed.meta["trajectory"]["heights_m"] == [pytest.approx(tall, abs=1e-3)]
    pixels = camera.project(placed.absolute.astype(np.float64))
    assert np.linalg.norm(pixels - placed.keypoints, axis=-1).mean() < 2


def test_place_with_camera_height_keeps_the_reprojection(walk):
    joints, times = walk
    camera = camera_at(pitch=15)
    placed, world = place(lifted(camera, joints, times, size=0.9), camera_height=1.6)
    assert world.height == 1.6
    assert placed.meta["world"]["scale"] > 1.03
    pixels = camera.project(placed.absolute.astype(np.float64))
    assert np.linalg.norm(pixels - placed.keypoints, axis=-1).mean() < 2
    standing = foot_contacts(joints[None], times)
    ankles = to_world(placed, world)[:, :, ANKLES, 2]
    assert np.median(ankles[standing]) == pytest.approx(0.08, abs=0.05)


def test_several_people_gaps_and_absent_ones(walk):
    joints, times = walk
    camera = camera_at(pitch=10, distance=8)
    one = lifted(camera, joints, times)
    two = lifted(camera, joints + np.array([0.8, 0.8, 0]), times)
    pose = replace(
        one,
        **{
            key: np.concatenate([getattr(one, key), getattr(two, key), getattr(one, key)])
            for key in ("joints", "root", "keypoints", "scores")
        },
        track_ids=np.array([1, 2, 3]),
    )
    pose.joints[0, 100:150] = np.nan
    pose.joints[2] = np.nan
    placed, world = place(pose, height=1.75)
    inside = to_world(placed, world)
    assert np.isnan(inside[0, 100:150]).all()
    assert np.isnan(inside[2]).all()
    assert np.isfinite(inside[1]).all()
    assert placed.meta["trajectory"]["heights_m"][2] is None
    json.dumps(placed.meta, allow_nan=False)
    # They keep their distance.
    apart = np.linalg.norm((inside[1] - inside[0])[:100, 0, :2], axis=-1)
    assert apart.mean() == pytest.approx(0.8 * np.sqrt(2), abs=0.15)


def test_the_lowest_storey_is_the_floor(walk):
    """Who walks on a roof first, and then below, ends on the floor."""
    joints, times = walk
    camera = camera_at(pitch=10, distance=8)
    roof = joints.copy()
    roof[:200, :, 2] += 1.5
    world = fit_world(seen(camera, roof), times)
    ankles = world.points(seen(camera, roof))[0, :, ANKLES, 2]
    assert np.percentile(ankles[:, 220:], 5) == pytest.approx(0.05, abs=0.1)
    assert np.percentile(ankles[:, :180], 5) == pytest.approx(1.55, abs=0.15)


def test_floor_hints_name_the_plane(walk):
    joints, times = walk
    camera = camera_at(pitch=10)
    world = fit_world(seen(camera, joints), times)
    hints = floor_hints(seen(camera, joints), times, world)
    stands = np.isfinite(hints.level[0])
    assert 0.3 < stands.mean() <= 1
    true = camera.world_to_camera(joints)[:, 0] @ world.up
    assert np.abs(hints.level[0] - true)[stands].mean() < 0.05


def test_real_walks_with_a_detectors_noise(shared):
    """Joints with errors as a lifter makes them, 4 cm; pixels as a detector sees them."""
    motions = read_motions(shared / "data/cmu-mocap/motions_val.npz")
    errors, before, tilts = [], [], []
    for motion in [m for m in motions if m.skeleton == "subject"][:4]:
        joints = motion.joints.astype(np.float64)
        times = np.arange(len(joints)) / motion.fps
        for k, camera in enumerate(protocol_cameras(motion)):
            true = camera.world_to_camera(joints)
            pose = lifted(camera, joints, times, noise=0.03)
            pose = replace(
                pose, keypoints=detector_noise(motion.name, k, camera.project(true))[None]
            )
            placed, world = place(pose)
            errors.append(np.linalg.norm(placed.root[0] - true[:, 0], axis=-1).mean())
            tilts.append(angle_between(world.up, camera.rotation[:, 2]))
            single = solve_root(pose.joints, pose.keypoints, FOCAL, np.full(2, 500.0))
            before.append(np.linalg.norm(single[0] - true[:, 0], axis=-1).mean())
    assert np.mean(errors) < 0.09
    assert np.mean(errors) < 0.75 * np.mean(before)
    assert np.mean(tilts) < 1.5


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_any_rubbish_gives_a_room_or_our_error(seed):
    """Also without a warning: those are errors in tests."""
    rng = np.random.default_rng(seed)
    persons, frames = rng.integers(1, 4), rng.integers(1, 12)
    joints = rng.normal(size=(persons, frames, 17, 3)) * rng.choice([0.01, 0.5, 1e3])
    keypoints = 500 + rng.normal(size=(persons, frames, 17, 2)) * rng.choice([1e-3, 300, 1e6])
    for array in (joints, keypoints):
        array[rng.random(array.shape[:-1]) < rng.choice([0, 0.3, 0.9])] = np.nan
    times = np.cumsum(rng.choice([1e-3, 0.03, 50], size=frames))
    scores = rng.random(joints.shape[:-1]) * (rng.random(joints.shape[:-1]) < 0.8)
    known = {"height": 1.7, "camera_height": 1.5, "pitch": rng.uniform(-90, 90), "roll": 3.0}
    options = {key: value for key, value in known.items() if rng.random() < 0.4}
    pose = Pose3D(
        joints=joints,
        keypoints=keypoints,
        scores=scores,
        times=times,
        meta={"focal_px": 1000.0, "image_size": (640, 480)},
    )
    try:
        placed, world = place(pose, **options)
    except DataError:
        return
    assert np.isfinite(world.height)
    assert np.linalg.det(world.rotation) == pytest.approx(1)
    inside = to_world(placed, world)
    locked = lock_feet(inside, foot_contacts(inside, times), times)
    np.testing.assert_array_equal(np.isnan(locked), np.isnan(inside))
    json.dumps(placed.meta, allow_nan=False)


@pytest.mark.parametrize(
    "options",
    [
        {"camera_height": 0},
        {"camera_height": np.nan},
        {"pitch": 95},
        {"roll": np.inf},
        {"focal": -3},
        {"height": 20},
        {"agility": -1},
    ],
)
def test_bad_arguments(walk, options):
    joints, times = walk
    with pytest.raises(UsageError):
        place(lifted(camera_at(), joints, times), **options)


def test_unknown_camera_and_nobody(walk):
    joints, times = walk
    pose = lifted(camera_at(), joints, times)
    with pytest.raises(UsageError, match="focal"):
        place(replace(pose, meta={}))
    placed, _ = place(replace(pose, meta={}), focal=FOCAL, image_size=IMAGE_SIZE)
    assert placed.meta["focal_px"] == FOCAL
    with pytest.raises(DataError, match="feet"):
        place(replace(pose, keypoints=pose.keypoints * np.nan))

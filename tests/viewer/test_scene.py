from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from walker import walker

from poselift.poses import Pose3D
from poselift.skeleton import H36M_17, Skeleton
from poselift.viewer.scene import PALETTE, frame_scene, image_size, make_scene, sides


def test_persons_stand_where_their_root_is() -> None:
    pose = walker(persons=2)
    scene = make_scene(pose)
    assert scene.placed
    np.testing.assert_allclose(scene.joints, pose.absolute, rtol=1e-6)


def test_a_gap_in_the_root_is_bridged() -> None:
    pose = walker(frames=5)
    whole = make_scene(pose).joints
    pose.root[0, [0, 2]] = np.nan
    scene = make_scene(pose)
    assert scene.placed
    np.testing.assert_allclose(scene.joints[:, 1:], whole[:, 1:], atol=1e-5)
    assert np.isfinite(scene.joints[:, 0]).all()


def test_without_root_persons_stand_side_by_side() -> None:
    pose = walker(persons=3, rooted=False)
    pose.joints[1] = np.nan  # who is never there takes no place
    scene = make_scene(pose)
    assert not scene.placed
    np.testing.assert_allclose(scene.joints[[0, 2], 0, 0, 0], [-0.6, 0.6], atol=1e-6)
    assert np.isnan(scene.joints[1]).all()


@given(st.integers(1, 80), st.integers(0, 2**32 - 1), st.sampled_from([1.0, 29.97, 240.0]))
def test_no_ankle_is_ever_below_the_floor(frames: int, seed: int, fps: float) -> None:
    rng = np.random.default_rng(seed)
    joints = rng.normal(size=(2, frames, 17, 3))
    joints[rng.random((2, frames)) < 0.3] = np.nan
    scene = make_scene(Pose3D(joints, fps=fps))
    assert scene.floor.shape == (frames,)
    ankles = scene.joints[:, :, [3, 6], 1]
    assert not (ankles > scene.floor[None, :, None] + 1e-5).any()
    assert np.isfinite(scene.floor).all()


def test_the_floor_touches_a_person_who_stands() -> None:
    np.testing.assert_allclose(make_scene(walker()).floor, 0.84, atol=1e-6)


def test_skeletons_without_ankles_and_poses_without_persons_have_a_floor() -> None:
    points = Skeleton("two", ("a", "b"), {"b": "a"}, "a")
    joints = np.zeros((1, 3, 2, 3))
    joints[:, :, 1, 1] = 2.0
    np.testing.assert_allclose(make_scene(Pose3D(joints, skeleton=points)).floor, 2.0)
    scene = make_scene(Pose3D(np.full((1, 3, 17, 3), np.nan)))
    assert np.isfinite(scene.floor).all()


def test_in_a_known_room_people_stand_upright_on_its_floor() -> None:
    pose = walker()
    level = pose.absolute.astype(float)  # as a camera 0.84 m above the floor sees it
    tilt = np.radians(25)
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]])
    seen = level @ turn  # by a camera that looks down
    room = {"camera_pitch_degrees": 25.0, "camera_roll_degrees": 0.0, "camera_height_m": 0.84}
    root = seen[:, :, 0]
    tilted = Pose3D(seen - root[:, :, None], root, fps=30.0, meta={"world": room})
    scene = make_scene(tilted)
    assert (scene.placed, scene.level) == (True, True)
    np.testing.assert_allclose(scene.joints, level - [0, 0.84, 0], atol=1e-5)
    assert (scene.floor == 0).all()
    assert not make_scene(walker(meta={"world": {"camera_height_m": "high"}})).level
    assert not make_scene(walker(rooted=False, meta={"world": room})).level


def test_the_view_holds_everybody_and_follows_who_goes_far() -> None:
    scene = make_scene(walker(persons=2))
    still = frame_scene(scene, 30.0)
    assert not still.follow
    off = np.linalg.norm(scene.joints - still.middle, axis=-1)
    assert (off <= still.radius).mean() > 0.98
    assert still.radius < 2
    pose = walker(frames=300)
    pose.root[..., 2] += np.linspace(0, 12, 300)
    pose.joints[0, 100:160] = np.nan
    scene = make_scene(pose)
    going = frame_scene(scene, 30.0)
    assert going.follow
    assert going.radius > 5
    assert going.followed_radius < 1.2
    np.testing.assert_allclose(np.diff(going.followed[:, 2]), 12 / 300, atol=0.04)


def test_a_joint_far_off_does_not_widen_the_view() -> None:
    pose = walker()
    usual = frame_scene(make_scene(pose), 30.0)
    pose.joints[0, 7, 16] = 40.0
    odd = frame_scene(make_scene(pose), 30.0)
    assert odd.radius < 1.1 * usual.radius
    nobody = frame_scene(make_scene(Pose3D(np.full((1, 3, 17, 3), np.nan))), 30.0)
    assert nobody.followed.shape == (3, 3)
    assert np.isfinite(nobody.followed).all()


@pytest.mark.parametrize("size", [None, "large", [0, 10], [1, 2, 3], [1e9, 2], [np.nan, 2], [True]])
def test_sizes_of_images_that_cannot_be(size: object) -> None:
    assert image_size({"image_size": size}) is None
    assert image_size({"image_size": [1280.0, 720]}) == (1280, 720)


def test_sides_follow_the_names() -> None:
    named = dict(zip(H36M_17.joints, sides(H36M_17), strict=True))
    assert named["left_knee"] == "left"
    assert named["right_wrist"] == "right"
    assert named["thorax"] == "middle"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_told_from_the_ground_and_from_each_other(scheme: str) -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    colours = PALETTE[scheme]
    ground = luminance(colours["ground"])
    for colour in (colours["left"], colours["right"], *colours["persons"]):
        low, high = sorted((ground, luminance(colour)))
        assert (high + 0.05) / (low + 0.05) > 3  # WCAG 2.2, 1.4.11
    # What red-green blindness leaves is blue against yellow: the sides must differ there.
    blueness = [int(c[5:7], 16) - int(c[1:3], 16) for c in (colours["left"], colours["right"])]
    assert blueness[0] > 60
    assert blueness[1] < -60
    assert len(set(colours["persons"])) == len(colours["persons"])

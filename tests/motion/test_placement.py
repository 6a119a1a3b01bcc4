from __future__ import annotations

import numpy as np
import pytest

from poselift.geometry.world import camera_up
from poselift.motion.placement import even_times, place
from poselift.poses import Pose3D
from poselift.skeleton import H36M_17

ANKLES = list(H36M_17.indices(("left_ankle", "right_ankle")))


def poses(persons: int = 1, frames: int = 6, **fields: object) -> Pose3D:
    rng = np.random.default_rng(0)
    return Pose3D(rng.normal(size=(persons, frames, 17, 3)), **fields)


def test_known_places_are_kept() -> None:
    pose = poses(root=np.random.default_rng(1).normal(size=(1, 6, 3)))
    placed = place(pose)
    np.testing.assert_allclose(placed.joints, pose.absolute * [1, -1, -1], atol=1e-6)
    assert placed.notes == ()


def test_gaps_in_the_path_are_interpolated_and_reported() -> None:
    root = np.zeros((1, 6, 3))
    root[0, :, 2] = np.arange(6)
    root[0, 2:4] = np.nan
    pose = poses(root=root, track_ids=np.array([7]))
    placed = place(pose)
    np.testing.assert_allclose(
        (placed.joints - place(poses()).joints)[0, :, :, 2],
        -np.arange(6)[:, None].repeat(17, 1),
        atol=1e-5,
    )
    assert placed.notes == ("person 7: place interpolated in 2 of 6 frames",)


def test_who_has_no_place_stands_on_the_floor_beside_the_others() -> None:
    pose = poses(persons=3)
    joints = pose.joints.copy()
    joints[1] = np.nan  # never there
    joints[0, 3, ANKLES] = np.nan
    placed = place(Pose3D(joints))
    lowest = placed.joints[..., ANKLES, 1].min(axis=-1)
    np.testing.assert_allclose(np.delete(lowest[0], 3), 0, atol=1e-6)
    np.testing.assert_allclose(lowest[2], 0, atol=1e-6)
    assert np.isnan(placed.joints[1]).all()
    np.testing.assert_allclose(
        (placed.joints[2] - pose.joints[2] * [1, -1, -1])[..., 0], 1.2, atol=1e-6
    )
    assert placed.notes == (
        "person 0 stands at the origin: where it stood is not known",
        "person 2 stands at x = 1.2 m: where it stood is not known",
    )


@pytest.mark.parametrize(("pitch", "roll"), [(0, 0), (20, 0), (-10, 5), (90, 0), (-90, 0)])
def test_a_known_camera_makes_people_stand_upright(pitch: float, roll: float) -> None:
    up = camera_up(pitch, roll)
    joints = np.linspace(0, 1, 17)[:, None] * up  # a person straight up
    world = {"camera_pitch_degrees": pitch, "camera_roll_degrees": roll, "camera_height_m": 1.5}
    root = -1.5 * up + [0.0, 0, 0]  # on the floor below the camera
    pose = Pose3D(joints[None, None], root[None, None], meta={"world": world})
    placed = place(pose).joints[0, 0]
    np.testing.assert_allclose(placed, np.linspace(0, 1, 17)[:, None] * [0, 1, 0], atol=1e-6)
    if abs(pitch) < 90:  # what lies ahead of the camera lies along -z
        ahead = place(Pose3D(joints[None, None], root[None, None] + [0, 0, 4.0], meta=pose.meta))
        way = (ahead.joints[0, 0] - placed).mean(axis=0)
        assert way[0] == pytest.approx(0, abs=1e-6)
        assert way[2] < 0


@pytest.mark.parametrize(
    "world",
    [
        "level",
        {},
        {"camera_pitch_degrees": None},
        5,
        {"camera_pitch_degrees": 200, "camera_roll_degrees": 0, "camera_height_m": 1},
    ],
)
def test_a_world_that_says_nothing_is_left_out(world: object) -> None:
    root = np.ones((1, 6, 3))
    np.testing.assert_array_equal(
        place(poses(root=root, meta={"world": world})).joints, place(poses(root=root)).joints
    )


def test_even_times_change_nothing() -> None:
    pose = poses(times=3 + np.arange(6) / 30)
    joints = place(pose).joints
    assert even_times(pose, joints) is joints


def test_odd_times_are_made_even() -> None:
    times = np.array([0.0, 0.1, 0.25, 0.3, 0.6])
    joints = np.zeros((1, 5, 17, 3)) + times[:, None, None]
    pose = Pose3D(joints, fps=10.0, times=times)
    np.testing.assert_allclose(even_times(pose, joints)[0, :, 0, 0], np.arange(7) / 10, atol=1e-9)
    joints[0, 2] = np.nan  # at 0.25
    found = even_times(pose, joints)[0, :, 0, 0]
    np.testing.assert_array_equal(np.isnan(found), [False, False, True, False, False, False, False])


def test_a_wrong_rate_asks_for_no_memory() -> None:
    pose = Pose3D(np.zeros((1, 2, 17, 3)), fps=1e5, times=np.array([0.0, 1e6]))
    assert even_times(pose, place(pose).joints).shape[1] == 200

"""The options of ``lift`` that are about people in the room."""

from __future__ import annotations

import numpy as np
import pytest

from poselift import keypoints, motion
from poselift.poses import Pose2D
from poselift.skeleton import H36M_17


@pytest.fixture
def lift(command, tmp_path):
    """Lift with the shipped network, and read what comes out."""

    def run(path, *options: object):
        done = command("lift", path, "-o", tmp_path / "out", *options)
        assert (done.code, done.err) == (0, "")
        return done.out, motion.read(tmp_path / "out" / f"{path.stem}.npz")

    return run


def test_people_are_placed_in_a_room(lift, walk_file):
    out, pose = lift(walk_file)
    world = pose.meta["world"]
    assert f"{world['camera_height_m']:.2f} m above the floor" in out
    assert np.shape(world["camera_to_world"]["rotation"]) == (3, 3)
    assert "heights_m" in pose.meta["trajectory"]
    # The contract of the file stays: camera frame, relative to the pelvis.
    assert (pose.meta["frame"], pose.meta["joints_relative_to"]) == ("camera", "pelvis")
    np.testing.assert_allclose(pose.joints[:, :, 0], 0, atol=1e-6)
    assert (pose.root[..., 2] > 0).all()


def test_a_turned_camera_is_said(lift, walk, walk_file, tmp_path):
    """A camera turned clockwise sees everything turned the other way round."""
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    middle = np.array(walk.image_size) / 2
    turned = (walk.keypoints - middle) @ np.array([[c, -s], [s, c]]) + middle  # up goes left
    head, pelvis = (turned[0, 0, H36M_17.index(name)] for name in ("head", "pelvis"))
    assert head[0] < pelvis[0] - 20
    pose = Pose2D(turned, fps=walk.fps, image_size=walk.image_size)
    out, lifted = lift(keypoints.write_npz(tmp_path / "turned.npz", pose))
    assert "and turned clockwise by " in out
    assert 8 < lifted.meta["world"]["camera_roll_degrees"] < 30
    assert abs(lift(walk_file)[1].meta["world"]["camera_roll_degrees"]) < 8


def test_the_focal_length_moves_people(lift, walk_file, walk):
    near, far = lift(walk_file, "--focal", 500)[1], lift(walk_file, "--focal", 2000)[1]
    assert (near.meta["focal_px"], far.meta["focal_px"]) == (500, 2000)
    assert np.median(far.root[..., 2]) > 3 * np.median(near.root[..., 2])
    wide = lift(walk_file, "--fov", 90)[1]
    assert wide.meta["focal_px"] == pytest.approx(walk.image_size[0] / 2)
    assert wide.meta["focal_assumed"] is False


def test_the_field_of_view_is_horizontal_also_in_portrait(lift, walk, tmp_path):
    pose = Pose2D(walk.keypoints, fps=30.0, image_size=(500, 2000))
    path = keypoints.write_npz(tmp_path / "upright.npz", pose)
    assert lift(path, "--fov", 90)[1].meta["focal_px"] == pytest.approx(250)


def test_a_field_of_view_needs_the_width(command, walk, tmp_path):
    path = tmp_path / "bare.npz"
    np.savez(path, keypoints=walk.keypoints, layout="h36m-17", fps=30.0)
    done = command("lift", path, "-o", tmp_path / "out", "--fov", 60)
    assert done.code == 2
    assert "add --size" in done.err
    assert not (tmp_path / "out").exists()


def test_the_height_of_people(lift, walk_file):
    pose = lift(walk_file, "--height", 1.6)[1]
    assert pose.meta["trajectory"]["heights_m"] == [1.6]
    tall = lift(walk_file, "--height", 1.92)[1]
    np.testing.assert_allclose(tall.joints, 1.2 * pose.joints, atol=1e-4)


def test_the_height_of_the_camera(lift, walk_file):
    out, pose = lift(walk_file, "--camera-height", 2.5)
    assert "2.50 m above the floor" in out
    assert pose.meta["world"]["camera_height_m"] == 2.5


def test_smoothing_and_foot_lock_are_off_unless_asked_for(lift, walk_file):
    plain = lift(walk_file)[1]
    assert not {"smoothing", "foot_lock"} & set(plain.meta)
    steady = lift(walk_file, "--smooth", "--foot-lock")[1]
    assert steady.meta["smoothing"]["cutoff_hz"] == 6
    assert len(steady.meta["foot_lock"]["standing_frames"]) == 1
    assert not np.array_equal(steady.joints, plain.joints)


def test_people_without_a_place_stay_before_the_camera(command, walk, tmp_path):
    seen = walk.keypoints.copy()
    seen[:, 1:] = np.nan  # one frame, and in it one joint: too little for a place
    seen[:, 0, 1:] = np.nan
    pose = Pose2D(seen, fps=30.0, image_size=walk.image_size)
    path = keypoints.write_npz(tmp_path / "point.npz", pose)
    out = tmp_path / "out"
    done = command("lift", path, "-o", out, "--foot-lock", "--smooth")
    assert (done.code, done.err) == (0, "")
    assert "no floor: no feet with a place in the room" in done.out
    assert "feet are not locked, without a floor" in done.out
    meta = motion.read(out / "point.npz").meta
    assert "world" not in meta
    assert "smoothing" in meta


def test_feet_that_are_never_seen_make_no_floor(lift, walk, tmp_path):
    seen = walk.keypoints.copy()
    seen[:, :, list(H36M_17.indices(["left_ankle", "right_ankle"]))] = np.nan
    pose = Pose2D(seen, fps=30.0, image_size=walk.image_size)
    path = keypoints.write_npz(tmp_path / "waist_up.npz", pose)
    out, lifted = lift(path, "--height", 1.7, "--camera-height", 1.5)
    assert "no floor: no feet with a place in the room" in out
    assert "--height is not used, without a floor" in out
    assert "--camera-height is not used, without a floor" in out
    assert "world" not in lifted.meta
    assert np.isfinite(lifted.root).all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--height", "175"], "'175' is not from 0.3 to 2.8 metres"),
        (["--height", "nan"], "'nan' is not from 0.3 to 2.8 metres"),
        (["--fov", "0"], "'0' is not from 1 to 179 degrees"),
        (["--fov", "wide"], "'wide' is not from 1 to 179 degrees"),
        (["--camera-height", "-1"], "'-1' is not a positive number"),
        (["--fov", "60", "--focal", "900"], "not allowed with argument"),
        (["--person", "tallest"], "'tallest' is not all, largest, or the number of a person"),
    ],
)
def test_values_that_cannot_be(command, walk_file, tmp_path, options, says):
    done = command("lift", walk_file, "-o", tmp_path / "out", *options)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert not (tmp_path / "out").exists()

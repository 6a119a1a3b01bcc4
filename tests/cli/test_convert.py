from __future__ import annotations

import json

import numpy as np
import pytest

from poselift import keypoints, motion
from poselift.poses import Pose3D


@pytest.fixture
def motion_file(walk, tmp_path):
    joints = np.random.default_rng(0).normal(size=(1, walk.num_frames, 17, 3))
    pose = Pose3D(joints, keypoints=walk.keypoints, fps=30.0, meta={"model": "tiny"})
    return motion.write(pose, tmp_path / "in" / "walk_3d.npz").paths[0]


def test_keypoints_keep_their_joints(command, shared, tmp_path):
    source = shared / "golden" / "blazepose" / "pose2sim_single_cam01.npz"
    done = command("convert", source, "-o", tmp_path / "out.npz")
    assert done.code == 0, done.err
    assert "mediapipe-33, 1 person, 100 frames" in done.out
    assert keypoints.read(tmp_path / "out.npz").skeleton.name == "mediapipe-33"


def test_keypoints_to_the_joints_of_networks(command, shared, tmp_path):
    source = shared / "golden" / "blazepose" / "pose2sim_single_cam01.npz"
    done = command("convert", source, "-o", tmp_path / "out.npz", "--to", "h36m-17")
    assert done.code == 0, done.err
    assert keypoints.read(tmp_path / "out.npz").skeleton.name == "h36m-17"


def test_options_reach_the_reader(command, walk, tmp_path):
    np.savez(tmp_path / "bare.npz", keypoints=walk.keypoints)
    options = ["--layout", "coco-17", "--fps", "12.5", "--size", "640x480"]
    options += ["--to", "h36m-17", "--conversion", "mmpose"]
    done = command("convert", tmp_path / "bare.npz", "-o", tmp_path / "out.npz", *options)
    assert done.code == 0, done.err
    pose = keypoints.read(tmp_path / "out.npz")
    assert (pose.fps, pose.image_size, pose.skeleton.name) == (12.5, (640, 480), "h36m-17")
    nose = walk.keypoints[:, :, 0]  # joint 0 of coco-17, where mmpose puts the neck
    np.testing.assert_array_equal(pose.keypoints[:, :, 9], nose)


def test_motion_to_json_and_back(command, motion_file, tmp_path):
    assert command("convert", motion_file, "-o", tmp_path / "a.json").code == 0
    assert command("convert", tmp_path / "a.json", "-o", tmp_path / "b.npz").code == 0
    before, after = motion.read(motion_file), motion.read(tmp_path / "b.npz")
    np.testing.assert_array_equal(after.joints, before.joints)
    assert after.meta["model"] == "tiny"


@pytest.mark.parametrize(
    ("extension", "start"), [("csv", "track_id,"), ("svg", "<svg"), ("html", "<!")]
)
def test_motion_to_what_people_read(command, motion_file, tmp_path, extension, start):
    done = command("convert", motion_file, "-o", tmp_path / f"walk.{extension}")
    assert done.code == 0, done.err
    assert (tmp_path / f"walk.{extension}").read_text().lower().startswith(start)


def test_json_of_a_tool_is_not_taken_for_motion(command, tmp_path):
    people = [{"pose_keypoints_2d": [float(10 + n) for n in range(75)]}]
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"version": 1.3, "people": people}))
    done = command("convert", path, "-o", tmp_path / "one.npz")
    assert done.code == 0, done.err
    assert keypoints.read(tmp_path / "one.npz").skeleton.name == "body-25"

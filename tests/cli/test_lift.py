from __future__ import annotations

import json
import re

import numpy as np
import pytest

from poselift import keypoints, motion
from poselift.poses import Pose2D


@pytest.fixture
def lift(command, checkpoint, tmp_path):
    """Lift into ``tmp_path / "out"`` with the small network."""

    def run(*arguments: object):
        return command("lift", *arguments, "-o", tmp_path / "out", "--model", checkpoint)

    return run


def test_a_motion_file_of_the_same_length(lift, walk, walk_file, tmp_path, checkpoint):
    done = lift(walk_file)
    assert (done.code, done.err) == (0, "")
    first, room = done.out.splitlines()
    assert first == f"{tmp_path / 'out' / 'walk.npz'}: 1 person, 30 frames at 30 fps; no gaps"
    assert re.fullmatch(r"  camera .*\d\.\d\d m above the floor.*", room)
    pose = motion.read(tmp_path / "out" / "walk.npz")
    assert pose.joints.shape == (1, 30, 17, 3)
    assert np.isfinite(pose.joints).all()
    assert pose.meta["model"] == str(checkpoint)
    assert pose.meta["weights_licence"] == "CC0-1.0"
    assert str(walk_file) in pose.meta["source"]
    np.testing.assert_array_equal(pose.keypoints, walk.keypoints)


def test_all_formats(lift, walk_file, tmp_path):
    done = lift(walk_file, "--format", "npz,json,csv,html,svg")
    assert done.code == 0, done.err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {f"walk.{name}" for name in ("npz", "json", "csv", "html", "svg")}


def test_several_inputs_of_several_tools(lift, walk, walk_file, tmp_path):
    folder = tmp_path / "in" / "openpose_json"
    folder.mkdir()
    for frame in range(12):
        row = [10.0 + frame, 20.0, 0.9]
        people = [{"person_id": [-1], "pose_keypoints_2d": row * 25}]
        content = {"version": 1.3, "people": people}
        (folder / f"walk_{frame:012}_keypoints.json").write_text(json.dumps(content))
    done = lift(walk_file, f"{folder}/", "--quiet")
    assert done == (0, "", "")
    assert motion.read(tmp_path / "out" / "walk.npz").num_frames == walk.num_frames
    lifted = motion.read(tmp_path / "out" / "openpose_json.npz")
    assert (lifted.num_frames, lifted.fps) == (12, 30.0)
    assert lifted.meta["layout"] == "body-25"


def test_what_was_assumed_is_said(lift, walk, tmp_path):
    path = tmp_path / "bare.npz"
    np.savez(path, keypoints=walk.keypoints, layout="h36m-17")
    done = lift(path)
    assert "assumed 30 fps, see --fps" in done.out
    width, height = motion.read(tmp_path / "out" / "bare.npz").meta["image_size"]
    assert f"assumed images of {width} x {height}, see --size" in done.out
    told = lift(path, "--fps", "25", "--size", "1000x1000")
    assert "30 frames at 25 fps; no gaps\n" in told.out
    assert "assumed " not in told.out
    assert motion.read(tmp_path / "out" / "bare.npz").meta["image_size"] == [1000, 1000]


def test_options_reach_the_lifter(lift, walk_file, tmp_path):
    assert lift(walk_file, "--stride", 2, "--flip", "--focal", "900").code == 0
    meta = motion.read(tmp_path / "out" / "walk.npz").meta
    assert (meta["stride"], meta["flip"], meta["focal_px"]) == (2, True, 900.0)
    assert meta["gaps"]["sides_put_back_frames"] == [0]
    assert lift(walk_file, "--keep-sides").code == 0
    kept = motion.read(tmp_path / "out" / "walk.npz").meta
    assert kept["gaps"]["sides_put_back_frames"] is None


def test_gaps_are_reported_and_absent_frames_stay_absent(lift, walk, tmp_path):
    seen = walk.keypoints.copy()
    seen[:, 5, 3] = np.nan
    seen[:, 20:22] = np.nan
    pose = Pose2D(seen, skeleton=walk.skeleton, fps=30.0, image_size=walk.image_size)
    done = lift(keypoints.write_npz(tmp_path / "gaps.npz", pose))
    assert "1 joints filled" in done.out
    assert "2 frames without the person" in done.out
    lifted = motion.read(tmp_path / "out" / "gaps.npz")
    absent = np.isnan(lifted.joints).all(axis=(2, 3))[0]
    np.testing.assert_array_equal(np.flatnonzero(absent), [20, 21])


def test_conversion_is_recorded(lift, walk, tmp_path):
    path = tmp_path / "coco.npz"
    np.savez(path, keypoints=walk.keypoints, layout="coco-17", fps=30.0)
    assert lift(path, "--conversion", "mmpose").code == 0
    meta = motion.read(tmp_path / "out" / "coco.npz").meta
    assert (meta["layout"], meta["conversion"]) == ("coco-17", "mmpose")


def test_lifting_again_replaces_the_file(lift, walk_file, tmp_path):
    assert lift(walk_file).code == 0
    first = (tmp_path / "out" / "walk.npz").stat().st_ino
    assert lift(walk_file).code == 0
    assert (tmp_path / "out" / "walk.npz").stat().st_ino != first
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["walk.npz"]


def test_a_full_disk_leaves_nothing_half_written(lift, walk_file, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        args[0].write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    done = lift(walk_file)
    assert done.code == 1
    assert "no space left" in done.err.lower()
    assert list((tmp_path / "out").iterdir()) == []

"""BVH, read back by two other readers and by our own."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from bvh import Bvh
from motion_examples import moving, y_up

from poselift.data.mocap import read_motions
from poselift.errors import DataError, UsageError
from poselift.geometry.kinematics import fit
from poselift.layouts import COCO_17
from poselift.motion import bvh
from poselift.poses import Pose3D
from poselift.skeleton import H36M_17

with warnings.catch_warnings():
    # Its library for vectors announces that a name of it will go.
    warnings.simplefilter("ignore", PendingDeprecationWarning)
    import bvhio

FOREIGN = """HIERARCHY
ROOT Hips
{
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition Yrotation Xrotation Zrotation
  JOINT Left Leg
  {
    OFFSET 0 -50 0
    CHANNELS 3 Yrotation Xrotation Zrotation
    End Site
    {
      OFFSET 0 -40 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
0 100 0 0 0 0 0 0 0
10 100 0 0 0 90 0 0 0
"""


def motion_capture(shared: Path, number: int) -> Pose3D:
    motion = read_motions(shared / "data/cmu-mocap/motions_mini.npz")[number]
    world = motion.joints[:60].astype(np.float64)
    camera = np.stack([world[..., 1], -world[..., 2], -world[..., 0]], axis=-1)
    return Pose3D((camera - camera[:, :1])[None], camera[None, :, 0], fps=motion.fps)


@pytest.mark.parametrize("number", [0, 7, 30, 60])
def test_other_readers_see_the_fitted_skeleton(number: int, shared: Path, tmp_path: Path) -> None:
    pose = motion_capture(shared, number)
    path = bvh.write(pose, tmp_path / "a b ü.bvh").paths[0]
    fitted = fit(y_up(pose)[0], pose.fps).joints
    assert np.abs(bvh.read(path).absolute[0] * [1, -1, -1] - fitted).max() < 1e-5  # metres

    hierarchy = bvhio.readAsHierarchy(str(path))
    for frame in (0, 31, 59):
        hierarchy.loadPose(frame)
        places = {joint.Name: joint.PositionWorld for joint, *_ in hierarchy.layout()}
        found = np.array([places[joint] for joint in H36M_17.joints]) / 100
        assert np.abs(found - fitted[frame]).max() < 1e-4

    text = Bvh(path.read_text())
    assert (text.nframes, text.frame_time) == (60, pytest.approx(1 / pose.fps))
    for frame in (0, 31, 59):
        assert np.abs(by_hand(text, frame) / 100 - fitted[frame]).max() < 1e-4


def by_hand(text: Bvh, frame: int) -> np.ndarray:
    """Places (17, 3) of the joints from what the package bvh reads, by chained 4 x 4 matrices."""
    world: dict[str, np.ndarray] = {}
    for joint in text.get_joints_names():
        local = np.eye(4)
        local[:3, 3] = text.joint_offset(joint)
        names = text.joint_channels(joint)
        for channel, value in zip(
            names, text.frame_joint_channels(frame, joint, names), strict=True
        ):
            step, axis = np.eye(4), "XYZ".index(channel[0])
            if channel.endswith("position"):
                step[axis, 3] = value
            else:
                i, j = (axis + 1) % 3, (axis + 2) % 3
                c, s = np.cos(np.radians(value)), np.sin(np.radians(value))
                step[[i, j], [i, j]], step[j, i], step[i, j] = c, s, -s
            local = local @ step
        parent = text.joint_parent(joint)
        world[joint] = world[parent.name] @ local if parent else local
    return np.array([world[joint][:3, 3] for joint in H36M_17.joints])


def test_the_text_is_what_programs_expect(tmp_path: Path) -> None:
    pose = moving("walk", fps=29.97, times=np.arange(50) / 29.97)
    text = bvh.write(pose, tmp_path / "a.bvh").paths[0].read_text("ascii")
    lines = text.splitlines()
    assert lines[:2] == ["HIERARCHY", "ROOT pelvis"]
    assert "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation" in lines[4]
    assert lines.count("\tJOINT lower_back") == 1
    start = lines.index("MOTION")
    assert lines[start + 1 : start + 3] == ["Frames: 50", "Frame Time: 0.0333667"]
    channels = 6 + 3 * text.count("JOINT")
    assert {len(line.split()) for line in lines[start + 3 :]} == {channels}
    assert "nan" not in text
    assert "-0.0000" not in text
    values = np.array([line.split() for line in lines[start + 3 :]], dtype=float)
    assert np.abs(np.diff(values[:, 3:], axis=0)).max() < 180  # degrees never wrap
    assert np.abs(values[:, 2] - 100 * y_up(pose)[0, :, 0, 2]).max() < 1e-3  # root in centimetres


def test_odd_times_become_even(tmp_path: Path) -> None:
    pose = moving("walk", seconds=0.1, times=np.array([0.0, 0.02, 0.04, 0.1, 0.12]))
    back = bvh.read(bvh.write(pose, tmp_path / "a.bvh").paths[0])
    assert back.num_frames == 7
    np.testing.assert_allclose(back.root[0, 5], pose.root[0, 3], atol=1e-5)


def test_files_of_other_programs(tmp_path: Path) -> None:
    path = tmp_path / "a.bvh"
    path.write_text(FOREIGN)
    pose = bvh.read(path)
    assert pose.skeleton.joints == ("Hips", "Left Leg")
    assert (pose.skeleton.root, pose.skeleton.parents) == ("Hips", {"Left Leg": "Hips"})
    assert pose.fps == pytest.approx(30, rel=1e-5)
    # Second frame: the third channel of the root turns about z, which swings the leg to +x.
    expected = [[[0, 1, 0], [0, 0.5, 0]], [[0.1, 1, 0], [0.6, 1, 0]]]
    np.testing.assert_allclose(y_up(pose)[0], expected, atol=1e-6)
    assert pose.meta["source"] == "a.bvh"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "SKELETON", "does not begin with HIERARCHY"),
        ("MOTION", "", "no MOTION"),
        ("Frames: 2", "Frames: 3", "18 numbers of motion; expected 3 frames of 9"),
        ("Frames: 2", "Frames: -2", "numbers of motion"),
        ("Frames: 2", "Frames: two", "not a motion file"),
        ("0.0333333", "0", "Frame Time of 0.0"),
        ("0.0333333", "nan", "Frame Time of nan"),
        ("10 100", "inf 100", "not finite"),
        ("10 100", "ten 100", "not a motion file"),
        ("CHANNELS 3", "CHANNELS 4", "CHANNELS Yrotation"),
        ("CHANNELS 3", "CHANNELS 999999", "ends too early"),
        ("OFFSET 0 -40 0\n    }\n  }\n}", "OFFSET 0 -40 0", "without an end"),
        ("End Site", "End Site Site", "without a bracket"),
        ("JOINT", "ROOT", "a second ROOT"),
        ("JOINT", "JOIN", "'JOIN' in the hierarchy"),
        ("ROOT", "JOINT", "outside of a skeleton"),
    ],
)
def test_files_that_are_not_as_they_should_be(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.bvh"
    path.write_text(FOREIGN.replace(old, new, 1))
    with pytest.raises(DataError, match=message) as error:
        bvh.read(path)
    assert "a.bvh" in str(error.value)


def test_other_skeletons_cannot_be_animated(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no known rest pose; expected the joints of h36m-17"):
        bvh.write(Pose3D(np.zeros((1, 2, 17, 3)), skeleton=COCO_17), tmp_path / "a.bvh")
    assert list(tmp_path.iterdir()) == []

"""The option ``--person``."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from poselift import keypoints, motion
from poselift.poses import Pose2D


@pytest.fixture
def three(walk, tmp_path):
    """Three walkers in one file: as they are, small and far, and large for a moment."""
    small, short = 0.3 * walk.keypoints[0], 1.5 * walk.keypoints[0]
    short[5:] = np.nan
    pose = Pose2D(
        np.stack([small, walk.keypoints[0], short]),
        fps=30.0,
        image_size=(2000, 2000),
        track_ids=np.array([4, 7, 9]),
    )
    return keypoints.write_npz(tmp_path / "three.npz", pose)


@pytest.fixture
def lift(command, checkpoint, three, tmp_path):
    def run(*options: object):
        out = tmp_path / "out"
        return command("lift", three, "-o", out, "--model", checkpoint, *options), out

    return run


@pytest.mark.parametrize("who", [[], ["--person", "all"]])
def test_all(lift, who):
    done, out = lift(*who)
    assert "3 persons" in done.out
    assert motion.read(out / "three.npz").num_persons == 3


def test_largest_over_the_whole_clip(lift, walk):
    done, out = lift("--person", "largest", "--format", "npz,bvh")
    assert "1 person," in done.out
    pose = motion.read(out / "three.npz")
    np.testing.assert_array_equal(pose.keypoints, walk.keypoints)
    assert {path.name for path in out.iterdir()} == {"three.npz", "three.bvh"}


def test_by_number(lift):
    numbers = motion.read(lift()[1] / "three.npz").track_ids.tolist()
    assert len(numbers) == 3
    done, out = lift("--person", numbers[2])
    assert done.code == 0
    assert motion.read(out / "three.npz").track_ids.tolist() == [numbers[2]]


@pytest.mark.parametrize("network", ["all", "newest"])
def test_the_image_is_that_of_everybody(command, checkpoint, walk, tmp_path, network):
    """Whoever is chosen: another size would move them."""
    if network == "newest":
        model = shutil.copytree(checkpoint, tmp_path / "causal")
        about = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps({**about, "target": "newest"}))
    else:
        model = checkpoint
    pose = Pose2D(
        np.concatenate([walk.keypoints * 0.3, walk.keypoints * 0.3 + [1500, 0]]), fps=30.0
    )
    path = keypoints.write_npz(tmp_path / "two.npz", pose)
    for who in ("all", "0", "1"):
        out = tmp_path / who
        done = command("lift", path, "-o", out, "--model", model, "--person", who)
        assert "assumed images of 1920 x 1080, see --size" in done.out
        meta = motion.read(out / "two.npz").meta
        assert (meta["image_size"], meta["image_size_assumed"]) == ([1920, 1080], True)


def test_a_person_does_not_take_the_name_of_another_input(command, checkpoint, three, tmp_path):
    other = shutil.copy(three, tmp_path / "three_7.npz")
    argv = ("lift", three, other, "-o", tmp_path / "out", "--model", checkpoint, "--format")
    for inputs in (argv[1:3], argv[2:0:-1]):
        done = command(argv[0], *inputs, *argv[3:], "npz,bvh")
        assert (done.code, done.err.count("\n")) == (2, 1), done.err
        assert "would both become three_7" in done.err
        assert not (tmp_path / "out").exists()
    assert command(*argv, "npz").code == 0
    assert command(*argv, "bvh", "--person", 4).code == 0


def test_nobody_of_this_number(lift):
    done, out = lift("--person", "-3")
    assert done.code in (1, 2)
    done, out = lift("--person", 99)
    assert done.code == 1
    assert "nobody has the number 99; expected one of" in done.err
    assert not out.exists()

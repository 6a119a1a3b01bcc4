"""The option ``--person``."""

from __future__ import annotations

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


def test_nobody_of_this_number(lift):
    done, out = lift("--person", "-3")
    assert done.code in (1, 2)
    done, out = lift("--person", 99)
    assert done.code == 1
    assert "nobody has the number 99; expected one of" in done.err
    assert not out.exists()

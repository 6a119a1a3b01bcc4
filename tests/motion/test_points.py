from __future__ import annotations

import numpy as np
import pytest

from poselift.errors import DataError
from poselift.motion.points import to_pose
from poselift.skeleton import H36M_17


def test_the_known_joints_are_found_among_others() -> None:
    names = ["nose", *reversed(H36M_17.joints), "tail"]
    points = np.random.default_rng(0).normal(size=(2, 4, 19, 3))
    pose = to_pose(points, names, None, "a.trc", fps=25.0, track_ids=[5, 6])
    assert pose.skeleton is H36M_17
    expected = points[:, :, 17:0:-1] * [1, -1, -1]
    np.testing.assert_allclose(pose.absolute, expected, atol=1e-6)
    np.testing.assert_allclose(pose.joints[:, :, 0], 0, atol=1e-6)
    assert pose.track_ids.tolist() == [5, 6]


def test_without_the_root_joint_the_others_keep_their_places() -> None:
    points = np.random.default_rng(0).normal(size=(1, 3, 17, 3))
    points[0, 1, 0, 1] = np.nan  # one coordinate is enough to be absent
    points[0, 2] = np.nan
    pose = to_pose(points, H36M_17.joints, None, "a.trc", fps=25.0)
    expected = points * [1, -1, -1]
    expected[0, 1, 0] = np.nan
    np.testing.assert_allclose(pose.absolute, expected, atol=1e-6)


def test_names_become_unique_and_points_without_a_tree_have_no_root() -> None:
    points = np.ones((1, 2, 4, 3))
    pose = to_pose(points, ["a", "b", "a", "a_2"], None, "x.trc", fps=25.0)
    assert pose.skeleton.joints == ("a", "b", "a_2", "a_2_2")
    assert (pose.skeleton.name, pose.skeleton.root) == ("trc", None)
    np.testing.assert_array_equal(pose.root, 0)
    tree = to_pose(points, ["a", "b", "c", "d"], [-1, 0, 1, 1], "x.bvh", fps=25.0)
    assert (tree.skeleton.root, tree.skeleton.parents) == ("a", {"b": "a", "c": "b", "d": "b"})


@pytest.mark.parametrize("fps", [0.0, -1.0, np.nan, np.inf])
def test_rates_that_cannot_be(fps: float) -> None:
    with pytest.raises(DataError):
        to_pose(np.ones((1, 2, 1, 3)), ["a"], None, "x.trc", fps=fps)


def test_numbers_too_large_and_files_without_points() -> None:
    with pytest.raises(DataError, match="infinite"):
        to_pose(np.full((1, 2, 1, 3), 1e300), ["a"], None, "x.trc", fps=25.0)
    with pytest.raises(DataError, match="no joint or no frame"):
        to_pose(np.ones((1, 0, 1, 3)), ["a"], None, "x.trc", fps=25.0)

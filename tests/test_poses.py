from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from poselift.errors import DataError, UsageError
from poselift.poses import Pose2D, Pose3D
from poselift.skeleton import H36M_17, LIMBS, Skeleton


def test_one_person_may_come_without_the_person_axis() -> None:
    pose = Pose2D(np.zeros((5, 17, 2)), scores=np.full((5, 17), 0.5), fps=25.0)
    assert pose.keypoints.shape == (1, 5, 17, 2)
    assert pose.scores.shape == (1, 5, 17)
    assert pose.times.tolist() == pytest.approx([0.0, 0.04, 0.08, 0.12, 0.16])
    assert pose.track_ids.tolist() == [0]


def test_absent_joints_have_no_half_coordinates_and_no_score() -> None:
    keypoints = np.zeros((1, 2, 17, 2))
    keypoints[0, 1, 3, 0] = np.nan
    pose = Pose2D(keypoints, scores=np.ones((1, 2, 17)))
    assert np.isnan(pose.keypoints[0, 1, 3]).all()
    assert pose.scores[0, 1, 3] == 0
    assert pose.scores.sum() == 2 * 17 - 1


def test_scores_are_cut_to_0_and_1() -> None:
    pose = Pose2D(np.zeros((1, 17, 2)), scores=np.linspace(-8, 8, 17)[None])
    assert pose.scores[0, 0].tolist() == [0] * 9 + [1] * 8


def test_poses_are_frozen() -> None:
    pose = Pose2D(np.zeros((1, 1, 17, 2)))
    with pytest.raises(AttributeError):
        pose.fps = 3.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": np.zeros((2, 16, 2))}, "shape"),
        ({"keypoints": np.zeros((0, 17, 2))}, "no person or no frame"),
        ({"keypoints": np.full((2, 17, 2), np.inf)}, "infinite"),
        ({"scores": np.zeros((3, 17))}, "scores of shape"),
        ({"fps": 0.0}, "fps"),
        ({"fps": float("nan")}, "fps"),
        ({"times": [0.0, 0.0]}, "do not increase"),
        ({"times": [0.0]}, "one for each frame"),
        ({"image_size": (-1, 5)}, "image size"),
        ({"track_ids": [1, 2]}, "track ids"),
        ({"keypoints": "joints"}, "keypoints: joints; expected an array of numbers"),
        ({"keypoints": np.full((2, 17, 2), "1")}, "keypoints: .*numbers"),
        ({"keypoints": [[1, 2], [3]]}, "keypoints: .*numbers"),
        ({"keypoints": np.full((2, 17, 2), 1e39)}, "infinite"),
        ({"scores": "high"}, "scores: high"),
        ({"times": ["a", "b"]}, "times: "),
        ({"fps": "a"}, "fps of a; expected a number from"),
        ({"fps": [30.0]}, "fps"),
        ({"fps": None}, "fps"),
        ({"fps": 1e-320}, "fps"),
        ({"fps": 1e6}, "fps"),
        ({"image_size": (5,)}, r"image size \(5,\)"),
        ({"image_size": (0.5, 0.5)}, r"image size \(0\.5, 0\.5\)"),
        ({"image_size": "640x480"}, "image size 640x480"),
        ({"image_size": (640, float("inf"))}, "image size"),
        ({"image_size": (10**400, 5)}, "image size"),
        ({"track_ids": ["a"]}, "track ids"),
        ({"track_ids": [float("nan")]}, "track ids"),
        ({"track_ids": [2**64]}, "track ids"),
        ({"keypoints": np.zeros((2, 2, 17, 2)), "track_ids": [0.2, 0.4]}, "whole numbers"),
    ],
)
def test_bad_2d_poses(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Pose2D(**{"keypoints": np.zeros((2, 17, 2)), "source": "clip.json", **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints": np.zeros((2, 17, 3))}, "shape"),
        ({"joints": np.full((1, 2, 17, 3), np.inf)}, "infinite"),
        ({"root": np.zeros((1, 3, 3))}, "root of shape"),
        ({"root": np.full((1, 2, 3), np.inf)}, "infinite"),
        ({"keypoints": np.zeros((1, 2, 17, 3))}, "2D joints of shape"),
        ({"fps": -1.0}, "fps"),
        ({"fps": 1e-4}, "fps"),
        ({"joints": "abc"}, "3D joints: abc"),
        ({"scores": "abc"}, "scores: abc"),
        ({"track_ids": [0.5]}, "track ids"),
    ],
)
def test_bad_3d_poses(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Pose3D(**{"joints": np.zeros((1, 2, 17, 3)), **change})


def test_absolute_joints_are_unknown_where_the_root_is() -> None:
    root = np.array([[[1.0, 2.0, 3.0], [np.nan] * 3]])
    pose = Pose3D(np.ones((1, 2, 17, 3)), root=root)
    assert pose.absolute[0, 0, 5].tolist() == [2.0, 3.0, 4.0]
    assert np.isnan(pose.absolute[0, 1]).all()


def test_the_skeleton_knows_its_sides() -> None:
    assert [H36M_17.mirror_indices[i] for i in H36M_17.mirror_indices] == list(range(17))
    swapped = {H36M_17.joints[i] for i in range(17) if H36M_17.mirror_indices[i] != i}
    assert all(name.startswith(("left_", "right_")) for name in swapped)
    assert len(swapped) == 12
    assert [H36M_17.indices(limb) for limb in LIMBS] == [
        (1, 2, 3),
        (4, 5, 6),
        (11, 12, 13),
        (14, 15, 16),
    ]


def test_bad_skeletons() -> None:
    with pytest.raises(UsageError, match="twice"):
        Skeleton("s", ("a", "a"), {})
    with pytest.raises(UsageError, match="unknown joint"):
        Skeleton("s", ("a",), {"b": "a"})
    with pytest.raises(UsageError, match="no joint 'nose'"):
        H36M_17.index("nose")

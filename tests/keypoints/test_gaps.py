"""Absent joints are filled, and what was filled is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from poselift.keypoints import fill_gaps
from poselift.layouts import LAYOUTS
from poselift.poses import Pose2D
from poselift.skeleton import H36M_17


def moving(frames: int = 8, joints: int = 17) -> np.ndarray:
    """(frames, joints, 2): all joints move on straight lines."""
    start = np.random.default_rng(3).uniform(100, 500, size=(joints, 2))
    return start + 3.0 * np.arange(frames)[:, None, None]


def test_straight_lines_are_restored_and_ends_held() -> None:
    keypoints = moving()
    whole = keypoints.copy()
    keypoints[2:5, 6] = np.nan
    keypoints[:2, 3] = np.nan
    keypoints[7, 4] = np.nan
    pose, report = fill_gaps(Pose2D(keypoints))
    np.testing.assert_allclose(pose.keypoints[0, 2:5, 6], whole[2:5, 6], rtol=1e-6)
    np.testing.assert_allclose(pose.keypoints[0, :2, 3], whole[[2, 2], 3], rtol=1e-6)
    np.testing.assert_allclose(pose.keypoints[0, 7, 4], whole[6, 4], rtol=1e-6)
    assert report.filled[0, [3, 4, 6]].tolist() == [2, 1, 3]
    assert report.longest[0, [3, 4, 6]].tolist() == [2, 1, 3]
    assert report.filled.sum() == 6
    assert not report.absent.any()
    assert (pose.scores[0, 2:5, 6] == 0).all()
    assert str(report) == "6 joints filled, longest gap 3 frames"


def test_time_counts_and_not_the_frame_number() -> None:
    keypoints = np.zeros((3, 17, 2))
    keypoints[2] = 10
    keypoints[1] = np.nan
    pose, report = fill_gaps(Pose2D(keypoints, times=np.array([0.0, 0.1, 1.0])))
    np.testing.assert_allclose(pose.keypoints[0, 1], 1, rtol=1e-6)
    assert report.absent.tolist() == [[False, True, False]]


def test_frames_without_the_person_are_marked_and_counted_apart() -> None:
    keypoints = np.stack([moving(), moving() + 50])
    keypoints[0, [0, 1, 4, 7]] = np.nan
    pose, report = fill_gaps(Pose2D(keypoints))
    assert np.flatnonzero(report.absent[0]).tolist() == [0, 1, 4, 7]
    assert not report.absent[1].any()
    assert (report.filled == 0).all()
    assert (report.longest[0] == 1).all()
    assert np.isfinite(pose.keypoints).all()


def test_a_joint_never_seen_follows_its_mirror() -> None:
    keypoints = moving()
    knee, ankle = H36M_17.indices(("left_knee", "left_ankle"))
    other_knee, other_ankle = H36M_17.indices(("right_knee", "right_ankle"))
    keypoints[:, ankle] = np.nan
    pose, report = fill_gaps(Pose2D(keypoints))
    shin = keypoints[:, other_ankle] - keypoints[:, other_knee]
    np.testing.assert_allclose(pose.keypoints[0, :, ankle], keypoints[:, knee] + shin, rtol=1e-5)
    assert report.never_seen == (("left_ankle",),)
    assert "never seen: left_ankle" in str(report)


def test_what_has_no_mirror_lies_between_its_neighbours() -> None:
    keypoints = moving()
    spine, pelvis, thorax = H36M_17.indices(("spine", "pelvis", "thorax"))
    legs = H36M_17.indices(("left_knee", "left_ankle", "right_knee", "right_ankle"))
    hip = H36M_17.index("left_hip")
    keypoints[:, [spine, *legs]] = np.nan
    filled = fill_gaps(Pose2D(keypoints))[0].keypoints[0]
    middle = (keypoints[:, pelvis] + keypoints[:, thorax]) / 2
    np.testing.assert_allclose(filled[:, spine], middle, rtol=1e-5)
    for joint in legs[:2]:
        np.testing.assert_allclose(filled[:, joint], keypoints[:, hip], rtol=1e-5)


def test_nobody_at_all_is_zero_and_absent() -> None:
    keypoints = np.full((2, 3, 17, 2), np.nan)
    keypoints[1] = 5
    pose, report = fill_gaps(Pose2D(keypoints))
    assert (pose.keypoints[0] == 0).all()
    assert report.absent[0].all()
    assert len(report.never_seen[0]) == 17


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=15, deadline=None)
@given(gone=hnp.arrays(np.bool_, (2, 5, 136)), never=st.sets(st.integers(0, 135), max_size=130))
def test_result_is_finite_and_leaves_what_was_seen(
    layout: str, gone: np.ndarray, never: set
) -> None:
    skeleton = LAYOUTS[layout]
    count = len(skeleton)
    keypoints = np.stack([moving(5, count), moving(5, count) + 9]).astype(np.float32)
    keypoints[gone[..., :count]] = np.nan
    keypoints[:, :, [j for j in never if j < count]] = np.nan
    pose = Pose2D(keypoints, skeleton=skeleton)
    filled, report = fill_gaps(pose)
    seen = np.isfinite(pose.keypoints)
    assert np.isfinite(filled.keypoints).all()
    np.testing.assert_array_equal(filled.keypoints[seen], pose.keypoints[seen])
    np.testing.assert_array_equal(filled.scores, pose.scores)
    np.testing.assert_array_equal(report.absent, ~seen.any(axis=(2, 3)))
    again, none = fill_gaps(filled)
    np.testing.assert_array_equal(again.keypoints, filled.keypoints)
    assert str(none) == "no gaps"

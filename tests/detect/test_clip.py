"""Whole videos: shapes, provenance, choice of persons, and the sample with two people."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from poselift.conversion import to_h36m
from poselift.detect import (
    BlazePose,
    FramePersons,
    Frames,
    Landmarks,
    PoseTracker,
    Seen,
    detect_frames,
    detect_video,
    largest,
    to_pose,
)
from poselift.errors import CheckpointError, DataError, UsageError


def seen(person, size=100.0):
    points = np.random.default_rng(person).uniform(0, size, (33, 2))
    nothing = np.zeros(2)
    return Seen(
        person,
        Landmarks(points, np.full(33, 0.9), np.ones((33, 3)), nothing, nothing, 1.0),
    )


def frames(*persons):
    return [FramePersons(n, n / 10, [seen(p) for p in there]) for n, there in enumerate(persons)]


def test_tracks_are_rows_and_gaps_are_nan():
    pose = to_pose(frames([7], [7, 9], [9], [7, 9], []), 10, (640, 480), "a.mp4 (BlazePose)")
    assert pose.keypoints.shape == (2, 5, 33, 2)
    assert pose.world.shape == (2, 5, 33, 3)
    assert pose.skeleton.name == "mediapipe-33"
    assert pose.track_ids.tolist() == [7, 9]
    there = np.isfinite(pose.keypoints).all(axis=(2, 3))
    assert there.tolist() == [[1, 1, 0, 1, 0], [0, 1, 1, 1, 0]]
    np.testing.assert_array_equal(np.isfinite(pose.world).all(axis=(2, 3)), there)
    np.testing.assert_allclose(pose.scores[..., 0], 0.9 * there, rtol=1e-6)
    assert pose.image_size == (640, 480)
    assert pose.source == "a.mp4 (BlazePose)"
    np.testing.assert_allclose(pose.times, np.arange(5) / 10)


def test_somebody_seen_for_a_moment_is_a_mistake_unless_alone():
    assert to_pose(frames([0, 1], *[[0]] * 20), 10).track_ids.tolist() == [0]
    assert to_pose(frames([1], *[[]] * 20), 10).track_ids.tolist() == [1]
    with pytest.raises(DataError, match="nobody found in 3 frames"):
        to_pose(frames([], [], []), 10)


def test_the_largest_person():
    both = [FramePersons(n, n / 10, [seen(0, 50.0), seen(1, 200.0)]) for n in range(9)]
    pose = largest(to_pose(both, 10))
    assert pose.track_ids.tolist() == [1]
    assert pose.world.shape == (1, 9, 33, 3)


@pytest.mark.parametrize("persons", [0, -1, "most", True, 1.5])
def test_bad_choice_of_persons(persons):
    with pytest.raises(UsageError, match="persons"):
        detect_video("a.mp4", persons=persons)


def test_absent_weights_are_told_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("POSELIFT_CACHE", str(tmp_path))
    with pytest.raises(CheckpointError, match="poselift setup"):
        detect_video(tmp_path / "a.mp4")


def test_a_video_of_nobody(tmp_path, weights, write_video):
    path = write_video(tmp_path / "grey.mov", [np.full((48, 64, 3), 99, np.uint8)] * 3)
    with pytest.raises(DataError, match="nobody found in 3 frames") as error:
        detect_video(path, weights=weights)
    assert path.name in str(error.value)


def test_a_video_becomes_h36m_joints(tmp_path, weights, shared, write_video):
    """The person of the portrait sample, at half the size."""
    source = Frames(shared / "data/media/pose2sim_single_cam01.mp4")
    images = [frame.image[::2, ::2] for frame in itertools.islice(source, 4)]
    path = write_video(tmp_path / "small.mov", [np.ascontiguousarray(i) for i in images], rate=60)
    done = []
    pose = detect_video(path, weights=weights, progress=lambda *n: done.append(n))
    assert pose.keypoints.shape == (1, 4, 33, 2)
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert pose.source == f"{path} (BlazePose, tracking)"
    joints = to_h36m(pose).keypoints[0]
    names = to_h36m(pose).skeleton.joints
    assert (joints[:, names.index("head"), 1] < joints[:, names.index("pelvis"), 1]).all()
    # He faces the camera: his left is on the right of the picture.
    left, right = names.index("left_shoulder"), names.index("right_shoulder")
    assert (joints[:, left, 0] > joints[:, right, 0]).all()


@pytest.mark.slow
def test_both_persons_of_the_sample_keep_their_numbers(shared, weights):
    pose = detect_video(shared / "data/media/sports2d_demo.mp4", weights=weights)
    assert pose.num_persons == 2
    hips = pose.keypoints[:, :, 23:25].mean(axis=2)  # (2, 230, 2)
    there = np.isfinite(hips[..., 0])
    roof, lawn = 0, 1
    assert there[roof, 5:165].all()
    assert there[roof, 202:225].all()  # after the jump
    assert there[lawn, 75:195].all()
    assert (hips[roof, 5:150, 1] < 420).all()
    assert (hips[lawn, 75:195, 1] > 600).all()
    assert (np.diff(hips[lawn, 75:195:20, 0]) < 0).all()  # she walks to the left
    assert (hips[roof, 202:225, 0] > 900).all()


def test_frames_can_be_taken_one_by_one(shared, weights):
    source = Frames(shared / "data/media/sports2d_demo.mp4")
    tracker = PoseTracker(BlazePose(weights), "static")
    some = itertools.islice(source, 100, 110, 9)
    found = list(detect_frames(some, tracker))
    assert [frame.number for frame in found] == [100, 109]
    assert all(frame.persons for frame in found)

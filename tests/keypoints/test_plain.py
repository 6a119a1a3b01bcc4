"""poselift's own keypoint file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keypoint_examples import Write

from poselift.errors import DataError
from poselift.keypoints import read, write_npz
from poselift.layouts import LAYOUTS
from poselift.poses import Pose2D
from poselift.skeleton import Skeleton


def points(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 500, size=(*shape, 2))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    layout=st.sampled_from(sorted(LAYOUTS)),
    persons=st.integers(1, 3),
    frames=st.integers(1, 5),
    fps=st.floats(1, 240),
    size=st.none() | st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
    seed=st.integers(0, 99),
)
def test_written_and_read_again_is_equal(
    tmp_path: Path, layout: str, persons: int, frames: int, fps: float, size: tuple, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    keypoints = points(persons, frames, len(LAYOUTS[layout]))
    keypoints[rng.random(keypoints.shape[:3]) < 0.3] = np.nan
    keypoints[0, 0, 0] = 7
    pose = Pose2D(
        keypoints,
        rng.uniform(-0.5, 1.5, size=keypoints.shape[:3]),
        LAYOUTS[layout],
        fps=fps,
        times=1.7e9 * (seed % 2) + np.cumsum(rng.uniform(0.5, 2, size=frames)) / fps,
        image_size=size,
        track_ids=rng.permutation(9)[:persons] + 2**61 * (seed % 3),
    )
    again = read(write_npz(tmp_path / "a", pose))
    for name in ("keypoints", "scores", "times", "track_ids"):
        np.testing.assert_array_equal(getattr(again, name), getattr(pose, name))
    assert (again.skeleton, again.fps, again.image_size) == (pose.skeleton, fps, size)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_smallest_file(write: Write) -> None:
    pose = read(write("k.npz", {"keypoints": points(4, 17), "layout": "coco-17"}))
    assert (pose.num_persons, pose.num_frames, pose.fps) == (1, 4, 30)
    assert "30 fps assumed" in pose.source
    assert (pose.scores == 1).all()


def test_arguments_override(write: Write) -> None:
    data = {"keypoints": points(4, 17), "layout": "coco-17", "fps": 25.0, "width": 9, "height": 9}
    pose = read(write("k.npz", data), "h36m-17", fps=50, image_size=(640, 480))
    assert (pose.skeleton.name, pose.fps, pose.image_size) == ("h36m-17", 50, (640, 480))
    np.testing.assert_allclose(pose.times, np.arange(4) / 50)


def test_fps_follows_from_times(write: Write) -> None:
    times = np.array([2.0, 2.04, 2.08, 2.12])
    pose = read(write("k.npz", {"keypoints": points(4, 17), "layout": "coco-17", "times": times}))
    assert pose.fps == pytest.approx(25)
    np.testing.assert_array_equal(pose.times, times)


@pytest.mark.parametrize(("fps", "agree"), [(10, True), (70, True), (8, False), (80, False)])
def test_times_and_fps_that_contradict_each_other(write: Write, fps: float, agree: bool) -> None:
    times = np.array([0, 1, 2, 9]) / 25  # frames were dropped: the median says 25
    data = {"keypoints": points(4, 17), "layout": "coco-17", "times": times, "fps": fps}
    path = write("k.npz", data)
    if agree:
        assert read(path).fps == fps
        return
    with pytest.raises(DataError, match=rf"k\.npz: fps of {fps}, but times of 25 frames a second"):
        read(path)
    assert read(path, fps=25).fps == 25


def test_only_what_can_be_read_is_written(tmp_path: Path) -> None:
    own = Skeleton("own-2", ("a", "b"), {"b": "a"}, "a")
    renamed = replace(own, name="coco-17")
    for pose, message in (
        (Pose2D(points(2, 2), skeleton=own), "own-2"),
        (Pose2D(points(2, 2), skeleton=renamed), "coco-17"),
        (Pose2D(points(2, 17), fps=30, times=np.array([0.0, 1.0])), "fps of 30"),
    ):
        with pytest.raises(DataError, match=rf"a\.npz.*{message}"):
            write_npz(tmp_path / "a.npz", pose)
    assert list(tmp_path.iterdir()) == []


def test_layout_is_never_guessed(write: Write) -> None:
    for count in (17, 33):
        path = write("k.npz", {"keypoints": points(4, count)})
        with pytest.raises(DataError, match=f"{count} joints and nothing"):
            read(path)


def test_demo_of_the_mhformer_family(write: Write) -> None:
    path = write("k.npz", {"reconstruction": points(1, 4, 17)})
    assert read(path, "h36m-17").num_frames == 4


def test_nothing_is_left_behind_where_writing_fails(tmp_path: Path) -> None:
    pose = Pose2D(points(2, 17))
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.npz").mkdir()
    for place in ("file/a.npz", "folder.npz", "a\0.npz"):
        with pytest.raises(DataError, match=r"cannot be written|is a folder"):
            write_npz(tmp_path / place, pose)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.npz"]

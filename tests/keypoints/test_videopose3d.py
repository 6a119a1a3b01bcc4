"""VideoPose3D archives: pickled containers, read without unpickling."""

from __future__ import annotations

import numpy as np
import pytest
from keypoint_examples import Write

from poselift.errors import DataError
from poselift.keypoints import read, read_all

COCO = {"layout_name": "coco", "num_joints": 17}
PAIRS = {
    "num_joints": 17,
    "keypoints_symmetry": [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]],
}
H36M_PAIRS = {"keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]}


def positions(frames: int = 4, columns: int = 2) -> np.ndarray:
    return np.random.default_rng(1).uniform(50, 400, size=(frames, 17, columns)).astype("float32")


def archive(metadata: object, positions_2d: object) -> dict:
    return {
        "metadata": np.array(metadata, dtype=object),
        "positions_2d": np.array(positions_2d, dtype=object),
    }


@pytest.mark.parametrize(
    ("metadata", "layout"), [(COCO, "coco-17"), (PAIRS, "coco-17"), (H36M_PAIRS, "h36m-17")]
)
def test_custom_video(write: Write, metadata: dict, layout: str) -> None:
    metadata = metadata | {"video_metadata": {"v.mp4": {"w": 640, "h": 480}}}
    pose = read(write("d.npz", archive(metadata, {"v.mp4": {"custom": [positions()]}})), fps=50)
    assert pose.skeleton.name == layout
    assert pose.image_size == (640, 480)
    np.testing.assert_array_equal(pose.keypoints[0], positions())


def test_scores_in_a_third_column(write: Write) -> None:
    data = positions(columns=3)
    data[..., 2] = 0.25
    pose = read(write("d.npz", archive(COCO, {"v": {"custom": [data]}})))
    assert (pose.scores == 0.25).all()


def test_several_sequences(write: Write) -> None:
    data = {"S9": {"Walking": [positions(3), positions(5)]}, "S11": {"Sitting 1": [positions(2)]}}
    path = write("d.npz", archive(H36M_PAIRS, data))
    with pytest.raises(DataError, match=r"3 sequences.*read_all"):
        read(path)
    poses = read_all(path, fps=50)
    assert {name: pose.num_frames for name, pose in poses.items()} == {
        "S9/Walking/0": 3,
        "S9/Walking/1": 5,
        "S11/Sitting 1/0": 2,
    }


def test_layout_is_needed_where_none_is_named(write: Write) -> None:
    path = write("d.npz", archive({}, {"v": {"custom": [positions()]}}))
    with pytest.raises(DataError, match="17 joints"):
        read(path)
    assert read(path, "coco-17").num_frames == 4


def test_detectron(write: Write) -> None:
    joints = np.ones((2, 4, 17)) * np.array([100.0, 700])[:, None, None]
    joints[:, 0] += np.linspace(0, 50, 17)
    joints[:, 3] = 0.8
    frames = np.empty(3, dtype=object)
    frames[:] = [[[], joints], [[], []], [[], joints[::-1]]]
    meta = np.array({"w": 640, "h": 480}, dtype=object)
    pose = read(write("raw.npz", {"boxes": frames, "keypoints": frames, "metadata": meta}))
    assert (pose.num_persons, pose.num_frames, pose.image_size) == (2, 3, (640, 480))
    np.testing.assert_array_equal(pose.keypoints[:, 0], pose.keypoints[:, 2])
    np.testing.assert_allclose(pose.scores[:, 0], 0.8, rtol=1e-6)

"""OpenPose folders."""

from __future__ import annotations

import numpy as np
import pytest
from keypoint_examples import Write, flat, person

from poselift.errors import DataError
from poselift.keypoints import read


def frame(*people: np.ndarray, ids: list[int] | None = None) -> dict:
    return {
        "version": 1.3,
        "people": [
            {"person_id": [-1 if ids is None else ids[n]], "pose_keypoints_2d": flat(p)}
            for n, p in enumerate(people)
        ],
    }


@pytest.mark.parametrize(
    ("count", "layout"),
    [
        (25, "body-25"),
        (18, "coco-18"),
        (15, "mpi-15"),
        (26, "halpe-26"),
        (133, "coco-wholebody-133"),
    ],
)
def test_folder_and_layout_by_count(write: Write, count: int, layout: str) -> None:
    for n in range(3):
        path = write(f"op/cam_{n:012d}_keypoints.json", frame(person(count, 300 + n)))
    pose = read(path.parent)
    assert pose.skeleton.name == layout
    assert pose.keypoints.shape == (1, 3, count, 2)
    np.testing.assert_allclose(pose.keypoints[0, 2], person(count, 302)[:, :2], rtol=1e-6)
    np.testing.assert_allclose(pose.scores, 0.9, rtol=1e-6)
    assert pose.fps == 30
    assert "30 fps assumed" in pose.source


def test_absent_joints_and_missing_frames(write: Write) -> None:
    gone = person(25)
    gone[4] = 0
    for n, data in ((7, person(25)), (9, gone), (12, person(25))):
        path = write(f"op/x_{n:06d}.json", frame(data))
    write("op/readme.txt", "other files do not matter")
    pose = read(path.parent, fps=10, image_size=(640, 480))
    assert pose.keypoints.shape[1] == 6
    np.testing.assert_allclose(pose.times, np.arange(7, 13) / 10)
    assert np.isnan(pose.keypoints[0, [1, 3, 4]]).all()
    assert np.isnan(pose.keypoints[0, 2, 4]).all()
    assert pose.scores[0, 2, 4] == 0
    assert np.isfinite(pose.keypoints[0, 2, [0, 1, 2, 3, 5]]).all()
    assert pose.image_size == (640, 480)


def test_persons_stay_apart_though_their_order_changes(write: Write) -> None:
    for n in range(6):
        pair = [person(25, 100 + n), person(25, 900 - n)]
        path = write(f"op/x_{n:06d}.json", frame(*pair[:: 1 if n % 2 else -1]))
    pose = read(path.parent)
    assert pose.num_persons == 2
    centre = pose.keypoints[..., 0].mean(axis=2)
    assert (np.ptp(centre, axis=1) < 10).all()


def test_ids_of_the_file_are_kept(write: Write) -> None:
    for n in range(2):
        path = write(f"op/x_{n}.json", frame(person(25, 100), person(25, 900), ids=[8, 3]))
    np.testing.assert_array_equal(read(path.parent).track_ids, [8, 3])


def test_seventeen_joints_need_a_name(write: Write) -> None:
    path = write("op/x_1.json", frame(person(17)))
    with pytest.raises(DataError, match=r"17 joints.*--layout: h36m-17 or coco-17"):
        read(path.parent)
    assert read(path.parent, "coco-17").skeleton.name == "coco-17"


def test_one_file_is_one_frame_and_empty_frames_count(write: Write) -> None:
    path = write("op/x_000004.json", frame(person(25)))
    assert read(path).num_frames == 1
    write("op/x_000002.json", frame())
    write("op/x_000003.json", {"people": [{"pose_keypoints_2d": []}]})
    assert read(path.parent).num_frames == 3

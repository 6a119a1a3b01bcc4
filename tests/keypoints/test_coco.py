"""COCO results and annotations."""

from __future__ import annotations

import numpy as np
import pytest
from keypoint_examples import Write, flat, person

from poselift.errors import DataError
from poselift.keypoints import read
from poselift.layouts import H36M_17


def entry(image: int, **more: object) -> dict:
    return {"image_id": image, "category_id": 1, "keypoints": flat(person()), "score": 0.9} | more


def annotations(**more: object) -> dict:
    joints = person()
    joints[:, 2] = 2
    joints[3, 2] = 1
    joints[4] = 0
    return {
        "images": [{"id": n * 10, "width": 640, "height": 480, "file_name": "x"} for n in range(4)],
        "annotations": [
            {"id": 1, "image_id": n, "category_id": 1, "keypoints": flat(joints)} for n in (0, 30)
        ],
        "categories": [{"id": 1, "name": "person"}],
    } | more


def test_results(write: Write) -> None:
    pose = read(write("c.json", [entry(n) for n in (2, 3)]), fps=50)
    assert pose.skeleton.name == "coco-17"
    assert (pose.num_frames, pose.fps) == (2, 50)
    np.testing.assert_allclose(pose.times, [0.04, 0.06])


def test_track_ids(write: Write) -> None:
    data = [entry(n, track_id=i) for n in range(2) for i in (9, 4)]
    assert read(write("c.json", data)).track_ids.tolist() == [9, 4]


def test_annotations(write: Write) -> None:
    pose = read(write("c.json", annotations()))
    assert pose.image_size == (640, 480)
    assert pose.num_frames == 4  # the images in order, not their ids
    assert np.isnan(pose.keypoints[0, 1:3]).all()
    assert pose.scores[0, 0, [0, 3, 4]].tolist() == [1, 0.5, 0]
    assert np.isnan(pose.keypoints[0, 0, 4]).all()


def test_categories_name_the_layout(write: Write) -> None:
    data = annotations(categories=[{"id": 1, "keypoints": list(H36M_17.joints)}])
    assert read(write("c.json", data)).skeleton == H36M_17


def test_photographs_are_no_video(write: Write) -> None:
    with pytest.raises(DataError, match="frame numbers from 139 to 397133"):
        read(write("c.json", [entry(139), entry(397133)]))
    sizes = [{"id": n, "width": 640 + n, "height": 480} for n in range(2)]
    with pytest.raises(DataError, match="2 sizes"):
        read(write("c.json", annotations(images=sizes)))

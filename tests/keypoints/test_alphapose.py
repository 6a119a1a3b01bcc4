"""AlphaPose result files and their variants."""

from __future__ import annotations

import numpy as np
import pytest
from keypoint_examples import Write, flat, person

from poselift.keypoints import read


def entry(n: int, count: int = 17, **more: object) -> dict:
    return {
        "image_id": f"{n}.jpg",
        "category_id": 1,
        "keypoints": flat(person(count)),
        "score": 2,
    } | more


@pytest.mark.parametrize(
    ("count", "layout"), [(17, "coco-17"), (26, "halpe-26"), (136, "halpe-136"), (68, "halpe-68")]
)
def test_one_list(write: Write, count: int, layout: str) -> None:
    pose = read(write("a.json", [entry(n, count) for n in (0, 1, 3)]))
    assert pose.skeleton.name == layout
    assert pose.keypoints.shape == (1, 4, count, 2)
    assert np.isnan(pose.keypoints[0, 2]).all()


@pytest.mark.parametrize("form", [lambda i: i, lambda i: [i], lambda i: [[float(i)]], float])
def test_tracks_in_every_form(write: Write, form: object) -> None:
    data = [entry(n, idx=form(i)) for n in range(3) for i in (5, 2)]  # type: ignore[operator]
    assert read(write("a.json", data)).track_ids.tolist() == [5, 2]


def test_same_id_for_two_persons_falls_back_to_overlap(write: Write) -> None:
    data = [entry(n, idx=0, keypoints=flat(person(17, x))) for n in range(3) for x in (100, 700)]
    assert read(write("a.json", data)).num_persons == 2


def test_scores_beyond_one_are_cut(write: Write) -> None:
    joints = person(17)
    joints[:, 2] = 5.5
    assert read(write("a.json", [entry(0, keypoints=flat(joints))])).scores.max() == 1


@pytest.mark.parametrize(("people", "key"), [("people", "pose_keypoints_2d"), ("bodies", "joints")])
def test_open_and_cmu_variants(write: Write, people: str, key: str) -> None:
    data = {
        f"{n}.jpg": {"version": "AlphaPose v0.3", people: [{key: flat(person(18))}]}
        for n in range(2)
    }
    pose = read(write("a.json", data))
    assert (pose.skeleton.name, pose.num_frames) == ("coco-18", 2)

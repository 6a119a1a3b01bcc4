"""rtmlib tuples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keypoint_examples import person

from poselift.errors import DataError
from poselift.keypoints import from_rtmlib


def pair(*people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    stacked = np.stack(people)
    return stacked[..., :2], stacked[..., 2]


@pytest.mark.parametrize(
    ("count", "layout"), [(17, "coco-17"), (26, "halpe-26"), (133, "coco-wholebody-133")]
)
def test_tuples(count: int, layout: str) -> None:
    frames = [
        pair(person(count), person(count, 800)),
        None,
        (np.zeros((0, count, 2)), np.zeros((0, count))),
    ]
    pose = from_rtmlib([*frames, pair(person(count, 801), person(count, 301))], fps=25)
    assert pose.skeleton.name == layout
    assert pose.keypoints.shape == (2, 4, count, 2)
    assert np.isnan(pose.keypoints[:, 1:3]).all()
    np.testing.assert_allclose(
        pose.keypoints[0, 3] - pose.keypoints[0, 0], [[1, 0]] * count, atol=1e-3
    )


def test_ids() -> None:
    pose = from_rtmlib([(*pair(person(), person(17, 800)), [4, 2])] * 2)
    assert pose.track_ids.tolist() == [4, 2]


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [None],
        [(np.zeros((1, 17, 2)),)],
        [(np.zeros((17, 2)), np.zeros(17))],
        [(np.zeros((1, 17, 2)), np.zeros((1, 16)))],
        [(np.zeros((1, 5, 2)) + 50, np.ones((1, 5)))],
        [("a", "b")],
        [3],
        [(*pair(person()), [1, 2])],
    ],
)
def test_other_forms(frames: list[Any]) -> None:
    with pytest.raises(DataError):
        from_rtmlib(frames)

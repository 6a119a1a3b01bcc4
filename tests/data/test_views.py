from __future__ import annotations

import numpy as np
import pytest
import torch

from poselift.data.clips import PairedClip
from poselift.data.views import RecordedViews, recording_of
from poselift.errors import DataError


def clip(name: str, frames: int, mark: float) -> PairedClip:
    """A clip whose every 2D joint is (frame, mark) pixels."""
    keypoints = np.zeros((frames, 17, 2), np.float32)
    keypoints[..., 0] = np.arange(frames)[:, None]
    keypoints[..., 1] = mark
    joints = np.zeros((frames, 17, 3), np.float32)
    return PairedClip(name, "S1", "", keypoints, joints, (1000, 1000), 50.0)


CLIPS = [
    clip("S1/Walking/a", 20, 1),
    clip("S1/Walking/b", 20, 2),
    clip("S1/Walking/c", 18, 3),
    clip("S1/Sitting/a", 30, 4),
    clip("S1/Sitting/b", 30, 5),
    clip("S1/Alone/a", 40, 6),
]


def pixels(normalised: torch.Tensor) -> torch.Tensor:
    return ((normalised + 1) * 500).round()


def make(views: int = 2, **options: object) -> RecordedViews:
    settings = {"mirror": 0.0, **options}
    return RecordedViews(CLIPS, 64, 3, 1, "centre", "screen", views, **settings)  # type: ignore[arg-type]


def test_views_are_of_one_instant_by_different_cameras():
    batches = make()
    seen = set()
    for step in range(10):
        query, others, instants = batches(step)
        assert query.shape == (64, 3, 17, 2)
        assert others.shape == (64, 1, 3, 17, 2)
        one, other = pixels(query)[:, 1, 0], pixels(others)[:, 0, 1, 0]
        assert torch.equal(one[:, 0], other[:, 0])  # the frame
        assert torch.equal(one[:, 0].long(), instants[:, 1])
        marks = torch.stack((one[:, 1], other[:, 1]), dim=1).long()
        assert (marks[:, 0] != marks[:, 1]).all()
        recordings = torch.where(instants[:, :1] == 0, marks.clamp(1, 3), marks.clamp(4, 5))
        assert torch.equal(recordings, marks)
        seen |= {tuple(pair) for pair in marks.tolist()}
        walking = instants[instants[:, 0] == 0, 1]
        assert walking.max() < 18  # frames that all three cameras have
    assert seen == {(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2), (4, 5), (5, 4)}
    assert batches.steps_per_epoch == 1  # 18 + 30 instants


def test_a_batch_depends_on_seed_and_step_alone():
    a, b = make()(7), make()(7)
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    assert not torch.equal(make()(8)[0], a[0])
    assert not torch.equal(make(seed=1)(7)[0], a[0])


def test_mirrored_instants_are_mirrored_in_all_views():
    plain, mirrored = make(mirror=0.0)(3), make(mirror=1.0)(3)
    for one, other in zip(plain[:2], mirrored[:2], strict=True):
        torch.testing.assert_close(other[..., 0], -one[..., 0])
        torch.testing.assert_close(other[..., 1], one[..., 1])


def test_more_cameras_than_saw_a_recording():
    assert set(make(views=3)(0)[2][:, 0].tolist()) == {0}
    with pytest.raises(DataError, match="no recording by 4 cameras"):
        make(views=4)


@pytest.mark.parametrize(
    ("name", "recording"),
    [
        ("S1 Seq1/0", "S1 Seq1"),
        ("s_05_act_03_ca_04", "s_05_act_03"),
        ("x", "x"),
    ],
)
def test_names_of_recordings(name: str, recording: str):
    assert recording_of(name) == recording

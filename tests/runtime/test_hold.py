from __future__ import annotations

import numpy as np

from poselift.runtime.hold import HoldLast, hold_last


def clip(frames: int = 12) -> np.ndarray:
    rng = np.random.default_rng(3)
    keypoints = rng.uniform(100, 900, size=(2, frames, 17, 2)).astype(np.float32)
    keypoints[rng.random((2, frames, 17)) < 0.3] = np.nan
    keypoints[1, :4] = np.nan  # the second person comes later
    keypoints[0, :, 16] = np.nan  # never seen
    return keypoints


def test_an_absent_joint_stays_where_it_was() -> None:
    keypoints = clip()
    filled = hold_last(keypoints)
    assert np.isfinite(filled).all()
    seen = np.isfinite(keypoints[..., 0])
    assert np.array_equal(filled[seen], keypoints[seen])
    held = ~seen[0, 1:, 3] & seen[0, :-1, 3]
    assert held.any()
    assert np.array_equal(filled[0, 1:, 3][held], keypoints[0, :-1, 3][held])


def test_nothing_depends_on_the_future() -> None:
    keypoints = clip()
    whole = hold_last(keypoints)
    assert np.array_equal(hold_last(keypoints[:1, :7]), whole[:1, :7])


def test_frame_by_frame_is_the_same() -> None:
    keypoints = clip()
    hold = HoldLast(2)
    frames = np.stack([hold.push(keypoints[:, t]) for t in range(12)], axis=1)
    whole = hold_last(keypoints)
    assert np.array_equal(frames[0], whole[0])
    assert np.array_equal(frames[1, 4:], whole[1, 4:])
    assert (frames[1, :4] == 0).all()
    # Before a person was seen, a window repeats the first sight of it.
    assert (whole[1, :4] == whole[1, 4]).all()


def test_a_person_that_never_comes() -> None:
    assert (hold_last(np.full((1, 3, 17, 2), np.nan, np.float32)) == 0).all()

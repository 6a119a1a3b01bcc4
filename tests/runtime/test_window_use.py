"""Each frame from one window alone, as published numbers are made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from poselift import models
from poselift.data.windows import plan_single
from poselift.errors import UsageError
from poselift.geometry.normalise import normalise
from poselift.poses import Pose2D
from poselift.runtime.lifter import Lifter

SIZE = (1000, 800)


def clip(frames: int) -> Pose2D:
    keypoints = np.random.default_rng(0).uniform(200, 700, size=(1, frames, 17, 2))
    return Pose2D(keypoints, fps=50, image_size=SIZE)


def window(folder: Path, pose: Pose2D, first: int) -> np.ndarray:
    """(n, 17, 3) what the network says of the window of 9 frames from ``first`` on."""
    network = models.load(folder)
    frames = np.clip(np.arange(first, first + 9), 0, pose.num_frames - 1)
    kind = "person" if network.config.num_out_frames == 3 else "screen"
    x = normalise(pose.keypoints[:, frames].astype(np.float32), SIZE, kind)
    with torch.inference_mode():
        joints = network(torch.from_numpy(x))[0].numpy()
    return joints - joints[:, :1]


@pytest.mark.parametrize("frames", [1, 5, 20])
def test_each_frame_is_the_middle_one_of_its_window(tiny: Path, frames: int) -> None:
    pose = clip(frames)
    lifted = Lifter(tiny, "torch", windows="centre").lift(pose, repair=False)
    expected = np.stack([window(tiny, pose, t - 4)[1] for t in range(frames)])
    np.testing.assert_allclose(lifted.joints[0], expected, atol=1e-6)
    assert (lifted.meta["windows"], lifted.meta["stride"]) == ("centre", 1)


@pytest.mark.parametrize("frames", [4, 9, 18, 23])
def test_windows_side_by_side_and_the_last_ends_with_the_clip(
    whole_window: Path, frames: int
) -> None:
    pose = clip(frames)
    lifted = Lifter(whole_window, "torch", windows="tiled").lift(pose, repair=False)
    whole = frames // 9 * 9
    parts = [window(whole_window, pose, t) for t in range(0, whole, 9)]
    if frames < 9:
        parts.append(window(whole_window, pose, 0)[:frames])
    elif frames > whole:
        parts.append(window(whole_window, pose, frames - 9)[whole - frames :])
    np.testing.assert_allclose(lifted.joints[0], np.concatenate(parts), atol=1e-6)
    assert (lifted.meta["windows"], lifted.meta["stride"]) == ("tiled", 9)


@given(
    st.integers(1, 60),
    st.integers(0, 10).flatmap(lambda k: st.tuples(st.just(k), st.integers(0, k))),
)
def test_every_frame_comes_from_exactly_one_window(frames: int, halves: list[int]) -> None:
    num_out, length = (2 * half + 1 for half in sorted(halves))
    for tiled in (False, True):
        outputs = plan_single(frames, length, num_out, tiled).outputs
        used = outputs[(outputs >= 0) & (outputs < frames)]
        assert sorted(used.tolist()) == list(range(frames))


def test_published_is_what_fits_the_network(
    tiny: Path, whole_window: Path, tiny_causal: Path
) -> None:
    found = {}
    for folder in (tiny, whole_window, tiny_causal):
        lifter = Lifter(folder, "torch", windows="published")
        found[folder] = lifter.lift(clip(5)).meta["windows"]
    assert list(found.values()) == ["centre", "tiled", "newest"]
    assert Lifter(tiny, "torch").lift(clip(5)).meta["windows"] == "blended"


def test_bad_choices(tiny: Path, tiny_causal: Path) -> None:
    with pytest.raises(UsageError, match="windows='all'"):
        Lifter(tiny, "torch", windows="all")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(UsageError, match="stride=2 with windows='centre'"):
        Lifter(tiny, "torch", stride=2, windows="centre")
    with pytest.raises(UsageError, match="newest frame"):
        Lifter(tiny_causal, windows="tiled")

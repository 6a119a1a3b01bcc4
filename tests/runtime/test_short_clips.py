"""What docs/lifting.md says of clips shorter and longer than a window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from poselift.data.procedural import generate
from poselift.evaluation.mocap import project_views
from poselift.poses import Pose2D
from poselift.runtime.lifter import Lifter


def walk(seconds: float) -> Pose2D:
    """A person made from formulas, as the first camera of protocol `mocap` sees it."""
    motion = generate("walk", seconds, 50.0)
    return Pose2D(project_views(motion)[0], fps=50.0, image_size=(1000, 1000))


def cut(pose: Pose2D, first: int, end: int) -> Pose2D:
    """Frames of a clip, with times that begin at zero."""
    return Pose2D(pose.keypoints[:, first:end], fps=pose.fps, image_size=pose.image_size)


def moved(lifter: Lifter, pose: Pose2D, first: int, end: int) -> np.ndarray:
    """(T,) metres by which the joints of a part of a clip move when it is lifted alone."""
    alone = lifter.lift(cut(pose, first, end)).joints[0]
    within = lifter.lift(pose).joints[0, first:end]
    distances: np.ndarray = np.linalg.norm(alone - within, axis=-1).mean(axis=-1)
    return distances


@pytest.mark.parametrize("frames", [20, 7])
def test_only_frames_near_the_ends_of_a_clip_know_of_them(tiny: Path, frames: int) -> None:
    """Windows of 9 frames that predict 3 reach 5 frames to each side."""
    change = moved(Lifter(tiny, "torch"), walk(1.0), 12, 12 + frames)
    near = np.r_[change[:5], change[-5:]]
    assert change[5:-5].size == max(0, frames - 10)
    assert (change[5:-5] < 1e-6).all()
    assert near.min() > 1e-5


def test_a_network_that_predicts_its_window_reaches_as_far(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from poselift import models
    from poselift.models.checkpoint import save_checkpoint
    from poselift.models.registry import REGISTRY

    torch.manual_seed(0)
    about = {"skeleton": "h36m-17", "fps": 50.0, "target": "centre", "normalisation": "screen"}
    network = models.create("mixste", **REGISTRY["mixste"].tiny)  # 9 frames in, 9 out
    save_checkpoint(tmp_path, "mixste", network, about)
    change = moved(Lifter(tmp_path, "torch"), walk(1.0), 0, 30)
    assert (change[:-8] < 1e-6).all()
    assert change[-8:].max() > 1e-4


def test_a_single_frame_is_one_that_is_repeated(tiny: Path) -> None:
    pose = walk(1.0)
    still = replace(cut(pose, 7, 8), keypoints=pose.keypoints[:, [7] * 30], scores=None, times=None)
    lifter = Lifter(tiny, "torch")
    alone, long = lifter.lift(cut(pose, 7, 8)).joints, lifter.lift(still).joints
    assert np.abs(long - alone).max() < 1e-6


def test_the_shipped_network_changes_as_stated() -> None:
    pose, lifter = walk(12.0), Lifter("nanohtnet")
    change = 1e3 * moved(lifter, pose, 150, 450)
    assert change[125:-125].max() < 1e-3  # 2.5 seconds from the ends
    for frames, most in ((1, 40.0), (50, 20.0), (243, 10.0)):
        first = 300 - frames // 2
        mean = 1e3 * moved(lifter, pose, first, first + frames).mean()
        assert 0.1 < mean < most

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poselift.data.procedural import generate
from poselift.errors import CheckpointError, DataError, UsageError
from poselift.evaluation.mocap import camera_joints, project_views
from poselift.geometry.mirror import mirror_joints, mirror_keypoints
from poselift.layouts import COCO_17
from poselift.poses import Pose2D
from poselift.runtime import lifter as module
from poselift.runtime.lifter import Lifter
from poselift.runtime.streaming import StreamingLifter

SIZE = (1000, 1000)
ABOUT = {"skeleton": "h36m-17", "fps": 50.0}
Make = Callable[..., tuple[Path, Any]]


def moving(times: np.ndarray, persons: int = 1) -> np.ndarray:
    """(P, T, 17, 2) pixels: each joint on its own slow wave."""
    phase = np.arange(17)[:, None] * 0.3 + np.array([0.0, 1.0]) + np.arange(persons)[:, None, None]
    waves = np.sin(3 * times[:, None, None, None] + phase)  # (T, P, 17, 2)
    return 500 + 150 * waves.swapaxes(0, 1) + np.arange(17)[:, None] * 10


def clip(frames: int = 40, fps: float = 50.0, persons: int = 1) -> Pose2D:
    return Pose2D(moving(np.arange(frames) / fps, persons), fps=fps, image_size=SIZE)


def expected(pose: Pose2D) -> np.ndarray:
    """What the oracle should give: screen coordinates relative to the pelvis."""
    screen = pose.keypoints / 500 - 1
    return screen - screen[:, :, :1]


@pytest.mark.parametrize("frames", [1, 2, 3, 8, 31])
@pytest.mark.parametrize("fps", [10, 24, 29.97, 50, 60, 120])
@pytest.mark.parametrize("target", ["centre", "newest"])
def test_every_frame_comes_out_at_its_time(
    oracle: Make, frames: int, fps: float, target: str
) -> None:
    folder, _ = oracle(target=target)
    pose = clip(frames, fps)
    lifted = Lifter(folder).lift(pose)
    assert lifted.joints.shape == (1, frames, 17, 3)
    assert lifted.fps == pose.fps
    assert np.array_equal(lifted.times, pose.times)
    # Off by a frame would be 0.003 at 120 fps and 0.01 at 50; what is left is interpolation.
    tolerance = 1e-5 if fps == 50 or target == "newest" else 8e-3 if fps == 10 else 1.5e-3
    assert np.abs(lifted.joints[..., :2] - expected(pose)).max() < tolerance
    assert (lifted.joints[:, :, 0] == 0).all()


@pytest.mark.parametrize("target", ["centre", "newest"])
def test_variable_frame_times(oracle: Make, target: str) -> None:
    folder, _ = oracle(target=target)
    times = 100 + np.cumsum(np.random.default_rng(0).uniform(0.01, 0.05, size=60))
    pose = Pose2D(moving(times), times=times, fps=33, image_size=SIZE)
    lifted = Lifter(folder).lift(pose)
    assert np.array_equal(lifted.times, times)
    assert np.abs(lifted.joints[..., :2] - expected(pose)).max() < 3e-3


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("fps", [50.0, 30.0])
def test_several_persons_are_each_alone(tiny: Path, stride: int, fps: float) -> None:
    pose = clip(35, fps, persons=3)
    lifter = Lifter(tiny, "torch", stride=stride)
    together = lifter.lift(pose)
    for p in range(3):
        alone = lifter.lift(replace(pose, keypoints=pose.keypoints[p], scores=None, track_ids=None))
        assert np.abs(alone.joints[0] - together.joints[p]).max() < 1e-5


@pytest.mark.parametrize("which", ["tiny", "tiny_causal", "tiny_single"])
def test_chunks_do_not_matter(
    which: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    lifter = Lifter(request.getfixturevalue(which), "torch")
    pose = clip(50, persons=2)
    whole = lifter.lift(pose).joints
    monkeypatch.setattr(module, "CHUNK", 7)
    assert np.abs(lifter.lift(pose).joints - whole).max() < 1e-5


@pytest.mark.parametrize("target", ["centre", "newest"])
def test_a_long_clip_is_lifted_in_pieces(oracle: Make, target: str) -> None:
    folder, backend = oracle(target=target)
    Lifter(folder).lift(clip(1000, persons=2))
    assert backend.largest_batch == module.CHUNK


@pytest.mark.parametrize("frames", [1, 2, 9, 40])
@pytest.mark.parametrize("fps", [24.0, 50.0])
def test_a_network_that_predicts_its_whole_window(
    whole_window: Path, frames: int, fps: float
) -> None:
    lifter = Lifter(whole_window, "torch")
    lifted = lifter.lift(clip(frames, fps, persons=2))
    assert lifted.meta["stride"] == 3
    assert lifted.joints.shape == (2, frames, 17, 3)
    assert np.isfinite(lifted.joints).all()


def test_one_window_is_what_the_network_says(whole_window: Path) -> None:
    import torch

    from poselift import models
    from poselift.geometry.normalise import normalise

    pose = clip(9)
    lifted = Lifter(whole_window, "torch", stride=9).lift(pose, repair=False)
    with torch.no_grad():
        x = torch.from_numpy(normalise(pose.keypoints, SIZE, "screen")).float()
        joints = models.load(whole_window)(x).numpy()
    assert np.abs(lifted.joints - (joints - joints[:, :, :1])).max() < 1e-5


def test_windows_that_predict_much_are_few_in_a_call(oracle: Make) -> None:
    folder, backend = oracle(window=243, num_out=243)
    Lifter(folder).lift(clip(1000))
    assert backend.largest_batch == 2


def test_a_causal_network_knows_no_future(tiny_causal: Path) -> None:
    pose = clip(30, 30.0)
    lifter = Lifter(tiny_causal)
    start = replace(
        pose, keypoints=pose.keypoints[:, :17], scores=pose.scores[:, :17], times=pose.times[:17]
    )
    assert np.abs(lifter.lift(pose).joints[:, :17] - lifter.lift(start).joints).max() < 1e-5


def seams(joints: np.ndarray, stride: int) -> float:
    """Acceleration where windows begin against that elsewhere, the largest over all places."""
    acceleration = np.linalg.norm(np.diff(joints, n=2, axis=1), axis=-1).mean(axis=(0, 2))
    phases = [acceleration[k::stride].mean() for k in range(stride)]
    return float(max(phases) / np.median(acceleration))


def test_no_seams(oracle: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each window is off by an error of its own: the worst case for seams.
    folder, _ = oracle(window=27, num_out=9, noise=0.01)
    pose = replace(clip(900), keypoints=np.full((1, 900, 17, 2), 500.0), scores=None)
    assert seams(Lifter(folder, stride=3).lift(pose).joints, 3) < 1.3
    assert seams(Lifter(folder, stride=2).lift(pose).joints, 2) < 1.3
    smooth = Lifter(folder).lift(pose).joints
    # The measure finds seams where there are some: windows side by side.
    assert seams(Lifter(folder, stride=9).lift(pose).joints, 9) > 3
    rough = Lifter(folder, stride=9).lift(pose).joints
    accelerations = [np.abs(np.diff(j, n=2, axis=1)).mean() for j in (smooth, rough)]
    assert accelerations[0] < 0.6 * accelerations[1]


def test_absent_persons_and_joints(tiny: Path) -> None:
    pose = clip(60, 30.0, persons=2)
    keypoints = pose.keypoints.copy()
    keypoints[1, :40] = np.nan  # comes late
    keypoints[0, 10:20, 13] = np.nan  # a hidden wrist
    pose = replace(pose, keypoints=keypoints, scores=None)
    lifted = Lifter(tiny, "torch").lift(pose)
    assert np.isnan(lifted.joints[1, :40]).all()
    assert np.isfinite(lifted.joints[1, 40:]).all()
    assert np.isfinite(lifted.joints[0]).all()
    assert np.isnan(lifted.keypoints[0, 10:20, 13]).all()
    assert (lifted.scores[0, 10:20, 13] == 0).all()
    assert lifted.meta["gaps"]["filled_joints"] == [10, 0]
    assert lifted.meta["gaps"]["absent_frames"] == [0, 40]


@pytest.mark.parametrize("fps", [20.0, 50.0, 90.0])
def test_windows_without_a_person_cost_nothing(
    tiny: Path, fps: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    keypoints = clip(80, fps).keypoints.copy()
    keypoints[:, 5:33] = np.nan
    keypoints[:, 34:70] = np.nan
    pose = Pose2D(keypoints, fps=fps, image_size=SIZE)
    lifter = Lifter(tiny, "torch")
    windows: list[int] = []
    run = lifter._network.backend.__call__
    spy = lambda x: (windows.append(len(x)), run(x))[1]  # noqa: E731
    monkeypatch.setattr(type(lifter._network.backend), "__call__", lambda self, x: spy(x))
    lifted = lifter.lift(pose).joints
    few = sum(windows)
    all_windows = lambda plan, *_: np.nonzero(np.ones((1, len(plan.inputs))))  # noqa: E731
    monkeypatch.setattr(module, "_needed", all_windows)
    assert np.allclose(lifter.lift(pose).joints, lifted, atol=1e-6, equal_nan=True)
    assert few < 0.7 * (sum(windows) - few)


def test_a_person_never_seen(tiny: Path) -> None:
    pose = Pose2D(np.full((1, 4, 17, 2), np.nan), fps=50)
    lifted = Lifter(tiny, "torch").lift(pose)
    assert np.isnan(lifted.joints).all()
    assert np.isnan(lifted.root).all()


def test_flip_makes_left_and_right_alike(tiny: Path) -> None:
    pose = clip(20)
    mirrored = replace(pose, keypoints=mirror_keypoints(pose.keypoints, SIZE[0]))
    plain, flip = Lifter(tiny, "torch"), Lifter(tiny, "torch", flip=True)
    difference = lambda lifter: np.abs(  # noqa: E731
        mirror_joints(lifter.lift(mirrored).joints) - lifter.lift(pose).joints
    ).max()
    assert difference(flip) < 1e-5
    assert difference(plain) > 1e-3  # random weights know nothing of mirrors


def test_root_follows_the_person(oracle: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = oracle()
    motion = generate("walk", 1.0)
    truth = camera_joints(motion)[0]  # (T, 17, 3)
    pose = Pose2D(project_views(motion)[0], fps=50, image_size=SIZE)
    lifter = Lifter(folder)
    relative = (truth - truth[:, :1])[None].astype(np.float32)
    monkeypatch.setattr(lifter, "_lift_blended", lambda *_: relative)
    lifted = lifter.lift(pose)  # the camera of the protocol is the one assumed by default
    assert np.abs(lifted.root[0] - truth[:, 0]).max() < 1e-3
    assert np.allclose(lifted.absolute[0], truth, atol=1e-3)
    nearer = lifter.lift(pose, focal=1145 / 2)
    assert np.allclose(nearer.root[0, :, 2], truth[:, 0, 2] / 2, rtol=0.1)
    assert (lifted.meta["focal_assumed"], nearer.meta["focal_assumed"]) == (True, False)


def test_other_layouts(tiny: Path) -> None:
    keypoints = np.random.default_rng(0).uniform(0, 600, size=(1, 12, 17, 2))
    lifted = Lifter(tiny, "torch").lift(Pose2D(keypoints, skeleton=COCO_17, fps=25))
    assert lifted.skeleton.name == "h36m-17"
    assert (lifted.meta["layout"], lifted.meta["conversion"]) == ("coco-17", "anatomical")
    assert lifted.meta["image_size_assumed"]


def test_meta_says_what_was_done(tiny: Path) -> None:
    meta = Lifter(tiny, "torch", stride=2).lift(replace(clip(5), source="a.json")).meta
    assert meta["weights_licence"] == "CC-BY-4.0"
    assert (meta["source"], meta["network"], meta["stride"]) == ("a.json", "nanohtnet", 2)
    assert meta["focal_px"] == 1145
    assert not meta["image_size_assumed"]
    json.dumps(meta, allow_nan=False)


def test_bad_arguments(tiny: Path, tiny_causal: Path, tmp_path: Path) -> None:
    for stride in (0, 4, -1, 1.0, True, "2"):
        with pytest.raises(UsageError, match="stride"):
            Lifter(tiny, "torch", stride=stride)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(UsageError, match="newest"):
        Lifter(tiny_causal, stride=2)
    with pytest.raises(UsageError, match="unknown model"):
        Lifter("no-such-model")
    with pytest.raises(CheckpointError):
        Lifter(tmp_path)
    lifter = Lifter(tiny, "torch")
    with pytest.raises(UsageError, match="conversion"):
        lifter.lift(clip(2), variant="mmpose")
    with pytest.raises(UsageError, match="focal"):
        lifter.lift(clip(2), focal=-3)
    with pytest.raises(DataError, match="Pose2D"):
        lifter.lift(clip(2).keypoints)  # type: ignore[arg-type]  # on purpose


def test_hours_between_two_frames(tiny: Path) -> None:
    times = np.array([0, 0.02, 1e7, 1e7 + 0.03, 1e7 + 0.3, 2e7])
    pose = Pose2D(moving(times), times=times, image_size=SIZE)
    lifter = Lifter(tiny, "torch")
    lifted = lifter.lift(pose).joints
    for part in (slice(0, 2), slice(2, 4), slice(4, 5), slice(5, 6)):
        alone = Pose2D(pose.keypoints[:, part], times=times[part], image_size=SIZE)
        assert np.abs(lifter.lift(alone).joints - lifted[:, part]).max() < 1e-5


def test_a_network_of_one_frame_knows_no_gaps(
    tiny_single: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not a call for each frame of a source slower than the network.
    calls: list[int] = []
    lifter = Lifter(tiny_single, "torch")
    run = type(lifter._network.backend).__call__
    spy = lambda self, x: (calls.append(len(x)), run(self, x))[1]  # noqa: E731
    monkeypatch.setattr(type(lifter._network.backend), "__call__", spy)
    lifter.lift(clip(20, 10.0))
    assert calls == [20]


@pytest.mark.parametrize("target", ["centre", "newest"])
def test_a_network_that_gives_no_numbers(oracle: Make, target: str) -> None:
    folder, _ = oracle(target=target, noise=float("nan"))
    with pytest.raises(CheckpointError, match="not numbers"):
        Lifter(folder).lift(clip(5))
    with pytest.raises(CheckpointError, match="not numbers"):
        StreamingLifter(folder, image_size=SIZE).push(clip(1).keypoints[0, 0])


def test_scores_of_zero_still_give_a_root(tiny: Path) -> None:
    motion = generate("walk", 0.2)
    pose = Pose2D(project_views(motion)[0], fps=50, image_size=SIZE)
    lifter = Lifter(tiny, "torch")
    blind = lifter.lift(replace(pose, scores=np.zeros_like(pose.scores)))
    assert np.array_equal(blind.root, lifter.lift(pose).root, equal_nan=True)

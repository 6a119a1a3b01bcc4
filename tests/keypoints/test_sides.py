"""Left and right that were exchanged are put back, and all else stays as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poselift.conversion import to_h36m
from poselift.data.mocap import read_motions
from poselift.data.procedural import generate
from poselift.evaluation.mocap import detector_noise, project_views
from poselift.geometry.mirror import mirror_keypoints
from poselift.keypoints import read, repair_sides
from poselift.layouts import LAYOUTS, MEDIAPIPE_33
from poselift.poses import Pose2D
from poselift.skeleton import H36M_17, Skeleton

LEGS = [
    n for n, name in enumerate(H36M_17.joints) if name.split("_")[-1] in ("hip", "knee", "ankle")
]
ARMS = [
    n
    for n, name in enumerate(H36M_17.joints)
    if name.split("_")[-1] in ("shoulder", "elbow", "wrist")
]
BOTH = ARMS + LEGS


def walk(view: int = 0, fps: float = 30.0, seconds: float = 4.0, seed: int = 3) -> Pose2D:
    """Somebody who walks a curve, seen by a camera of protocol ``mocap``."""
    motion = generate("walk", seconds, fps, seed)
    scores = np.random.default_rng(seed).uniform(0.3, 1, (1, motion.num_frames, 17))
    return Pose2D(project_views(motion)[view], scores, fps=fps)


def exchange(pose: Pose2D, frames: slice | list[int], joints: list[int], person: int = 0) -> Pose2D:
    """The pose with these joints under the names of the other side."""
    keypoints, scores = pose.keypoints.copy(), pose.scores.copy()
    mirror = [pose.skeleton.mirror_indices[j] for j in joints]
    for t in np.arange(pose.num_frames)[frames]:
        keypoints[person, t, joints] = pose.keypoints[person, t, mirror]
        scores[person, t, joints] = pose.scores[person, t, mirror]
    return replace(pose, keypoints=keypoints, scores=scores)


def same(one: Pose2D, other: Pose2D) -> None:
    np.testing.assert_array_equal(one.keypoints, other.keypoints)
    np.testing.assert_array_equal(one.scores, other.scores)


@pytest.mark.parametrize("view", range(4))
@pytest.mark.parametrize("fps", [12.5, 25.0, 50.0, 120.0])
def test_what_is_right_stays(view: int, fps: float) -> None:
    for kind in ("walk", "turn", "squat", "wave"):
        exact = project_views(generate(kind, 4.0, fps, seed=1))[view]
        for keypoints in (exact, detector_noise(kind, view, exact)):
            pose = Pose2D(keypoints, fps=fps)
            repaired, report = repair_sides(pose)
            assert repaired is pose
            assert str(report) == ""


@pytest.mark.parametrize("view", range(4))
@pytest.mark.parametrize("length", [1, 2, 5, 20, 45])
@pytest.mark.parametrize("joints", [BOTH, ARMS, LEGS], ids=["both", "arms", "legs"])
def test_what_was_exchanged_is_put_back(view: int, length: int, joints: list[int]) -> None:
    pose = walk(view)
    # Somewhere where the legs are apart at both ends: elsewhere their names tell nothing.
    pairs = pose.keypoints[0][:, [LEGS[:3], LEGS[3:]]]
    apart = np.linalg.norm(pairs[:, 0] - pairs[:, 1], axis=-1).mean(axis=-1)  # (T,)
    clear = [t for t in range(5, 70) if apart[[t - 1, t, t + length - 1, t + length]].min() > 25]
    first = clear[len(clear) // 2]
    broken = exchange(pose, slice(first, first + length), joints)
    repaired, report = repair_sides(broken)
    same(repaired, pose)
    for group, found in ((ARMS, report.arms), (LEGS, report.legs)):
        frames = list(range(first, first + length)) if group[0] in joints else []
        assert np.flatnonzero(found[0]).tolist() == frames
    assert str(report) == f"left and right put back in {length} frames"
    assert report.frames.tolist() == [length]


def test_the_smaller_part_of_a_clip_is_exchanged() -> None:
    pose = walk()
    same(repair_sides(exchange(pose, slice(0, 30), BOTH))[0], pose)
    same(repair_sides(exchange(pose, slice(90, None), BOTH))[0], pose)
    all_of_it = exchange(pose, slice(None), BOTH)
    assert repair_sides(all_of_it)[0] is all_of_it


def test_a_frame_of_nonsense_does_not_hide_an_exchange() -> None:
    pose = exchange(walk(), slice(40, 60), BOTH)
    rng = np.random.default_rng(0)
    for t in (40, 60):
        pose.keypoints[0, t] = rng.uniform(200, 800, (17, 2))
    _, report = repair_sides(pose)
    assert report.arms[0, 41:60].all()
    assert report.legs[0, 41:60].all()
    assert not report.arms[0, :40].any()
    assert not report.arms[0, 61:].any()


@pytest.mark.parametrize("view", [0, 2])
@pytest.mark.parametrize("length", [20, 40])
def test_shoulders_do_not_stay_turned_against_the_hips(view: int, length: int) -> None:
    """At 15 fps people move so far in a frame that the jumps alone would not tell."""
    pose = Pose2D(project_views(generate("walk", 8.0, 15.0, 1))[view], fps=15.0)
    same(repair_sides(exchange(pose, slice(30, 30 + length), ARMS))[0], pose)


def test_absent_joints_and_frames() -> None:
    pose = walk()
    pose.keypoints[0, 30:33] = np.nan
    pose.keypoints[0, 38:42, H36M_17.index("left_wrist")] = np.nan
    pose.keypoints[0, 50, BOTH] = np.nan  # the middle line is all that is seen
    pose = replace(pose, scores=pose.scores)
    repaired, report = repair_sides(exchange(pose, slice(20, 55), BOTH))
    seen = [t for t in range(20, 55) if t not in (30, 31, 32, 50)]
    assert np.flatnonzero(report.legs[0]).tolist() == seen
    np.testing.assert_array_equal(repaired.keypoints[0, seen], pose.keypoints[0, seen])


def test_nothing_is_told_over_a_long_absence() -> None:
    pose = walk(seconds=8)
    pose.keypoints[0, 100:140] = np.nan
    gone = exchange(pose, slice(140, None), BOTH)
    assert repair_sides(gone)[0] is gone


def test_each_person_alone() -> None:
    one, other = walk(0), walk(1, seed=5)
    both = Pose2D(
        np.concatenate([one.keypoints, other.keypoints, np.full_like(one.keypoints, np.nan)]),
        fps=30.0,
    )
    repaired, report = repair_sides(exchange(both, slice(50, 60), BOTH, person=1))
    np.testing.assert_array_equal(repaired.keypoints, both.keypoints)
    assert report.frames.tolist() == [0, 10, 0]


@pytest.mark.parametrize("frames", [1, 2])
def test_too_few_frames_tell_nothing(frames: int) -> None:
    pose = Pose2D(walk().keypoints[:, :frames])
    assert repair_sides(pose)[0] is pose


def test_a_layout_without_limbs_is_left_alone() -> None:
    own = Pose2D(np.zeros((1, 5, 2, 2)), skeleton=Skeleton("mine", ("a", "b"), {}))
    assert repair_sides(own)[0] is own


def from_walk(layout: str) -> Pose2D:
    """The walk in another layout; joints that it does not know lie at their nearest limb."""
    pose, skeleton = walk(), LAYOUTS[layout]
    near = {"heel": "ankle", "toe": "ankle", "foot": "ankle", "hand": "wrist", "thumb": "wrist"}
    columns = []
    for name in skeleton.joints:
        side, _, part = name.partition("_")
        limb = next((f"{side}_{limb}" for key, limb in near.items() if key in part), name)
        columns.append(H36M_17.index(limb if limb in H36M_17.joints else "head"))
    return Pose2D(pose.keypoints[:, :, columns], pose.scores[:, :, columns], skeleton, fps=30.0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_hands_follow_the_arms_and_feet_the_legs(layout: str) -> None:
    pose = from_walk(layout)
    legs = ("hip", "knee", "ankle", "heel", "toe", "foot")
    for below in (True, False):
        joints = [
            n
            for n, name in enumerate(pose.skeleton.joints)
            if any(p in name for p in legs) == below
        ]
        repaired, report = repair_sides(exchange(pose, slice(40, 50), joints))
        same(repaired, pose)
        assert (report.legs if below else report.arms).sum() == 10
        assert (report.arms if below else report.legs).sum() == 0


def test_before_or_after_the_conversion_is_the_same() -> None:
    broken = exchange(from_walk("mediapipe-33"), slice(40, 50), list(range(33)))
    np.testing.assert_allclose(
        to_h36m(repair_sides(broken)[0]).keypoints,
        repair_sides(to_h36m(broken))[0].keypoints,
        rtol=1e-6,
    )


def test_a_mirrored_clip_is_repaired_alike() -> None:
    broken = exchange(walk(), slice(40, 50), BOTH)
    turned = replace(broken, keypoints=mirror_keypoints(broken.keypoints, 1000, H36M_17))
    np.testing.assert_array_equal(repair_sides(turned)[1].arms, repair_sides(broken)[1].arms)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), frames=st.integers(1, 12), gone=st.floats(0, 1))
def test_joints_only_ever_change_places_with_their_mirrors(
    seed: int, frames: int, gone: float
) -> None:
    rng = np.random.default_rng(seed)
    keypoints = rng.normal(500, 200, (2, frames, 33, 2)).astype(np.float32)
    keypoints[rng.random((2, frames, 33)) < gone] = np.nan
    times = np.cumsum(rng.uniform(0.01, 0.5, frames))
    pose = Pose2D(keypoints, skeleton=MEDIAPIPE_33, times=times)
    repaired, report = repair_sides(pose)
    mirror = list(MEDIAPIPE_33.mirror_indices)
    stays = np.isclose(repaired.keypoints, pose.keypoints, equal_nan=True).all(axis=-1)
    moves = np.isclose(repaired.keypoints, pose.keypoints[:, :, mirror], equal_nan=True).all(-1)
    assert (stays | moves).all()
    assert stays[~(report.arms | report.legs)].all()
    assert moves[report.arms & report.legs].all()


def test_the_frames_that_blazepose_swaps(shared: Path) -> None:
    """Listed by eye: see the notes beside the files."""
    folder = shared / "golden/blazepose"
    listed = [*range(41, 62), 63, 65, *range(67, 75), 81]
    _, report = repair_sides(read(folder / "pose2sim_single_cam02.npz"))
    assert np.flatnonzero(report.arms[0]).tolist() == listed
    assert np.flatnonzero(report.legs[0]).tolist() == listed[:-1]  # in 81 the legs are right
    steady = read(folder / "pose2sim_single_cam01.npz")
    assert repair_sides(steady)[0] is steady


def test_motion_capture_is_left_alone(shared: Path) -> None:
    for motion in read_motions(shared / "data/cmu-mocap/motions_val.npz")[::4]:
        for k, exact in enumerate(project_views(motion)):
            for pixels in (exact, detector_noise(motion.name, k, exact)):
                pose = Pose2D(pixels, fps=motion.fps)
                assert repair_sides(pose)[0] is pose, f"{motion.name} {k}"


@pytest.mark.parametrize("step", [1, 2, 4])
def test_legs_that_pass_each_other_are_left_alone(shared: Path, step: int) -> None:
    """Seen from the side hips and shoulders are narrow, and turn against each other."""
    walks = 0
    for motion in read_motions(shared / "data/cmu-mocap/motions_val.npz"):
        joints = motion.joints[::step].astype(np.float64)
        way = (joints[-1, 0] - joints[0, 0])[:2]
        length = np.linalg.norm(way)
        if length < 1.5:
            continue
        walks += 1
        side = np.stack([joints[..., :2] @ way / length, -joints[..., 2]], axis=-1)
        pose = Pose2D(300 * side + 1000, fps=motion.fps / step)
        assert repair_sides(pose)[0] is pose, motion.name
    assert walks > 10

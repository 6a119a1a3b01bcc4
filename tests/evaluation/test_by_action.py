"""The protocols `h36m` and `h36m-motionbert` against values by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from dataset_files import h36m_motions, motion
from scipy.spatial import procrustes

from poselift.data import h36m, motionbert
from poselift.data.clips import PairedClip
from poselift.data.h36m import ACTIONS
from poselift.errors import DataError, UsageError
from poselift.evaluation.by_action import SKIPPED, evaluate_h36m, evaluate_motionbert
from poselift.geometry.mirror import mirror_joints
from poselift.poses import Pose2D, Pose3D


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("h36m")
    h36m.write(path, h36m_motions())
    test = h36m_motions() | {
        ("S9", "Greeting"): motion(1),  # act 05, subact 02
        ("S9", "SittingDown"): motion(2),  # act 10, subact 02
        ("S9", "Waiting 1"): motion(3),  # act 13, subact 01
        ("S9", "Waiting"): motion(0),  # act 13, subact 02: is measured
        ("S11", "Greeting"): motion(0),  # another subject
    }
    motionbert.write(path / motionbert.FILE, {("S1", "Walking"): motion(0)}, test)
    return path


@pytest.fixture(scope="module")
def clips(folder) -> list[PairedClip]:
    return h36m.read(folder)


class Oracle:
    """Knows the truth of each clip and changes it; with ``flip`` every second call is mirrored."""

    def __init__(self, clips, change=lambda joints, clip: joints, flip=False):
        self.clips = {clip.name: clip for clip in clips}
        self.change = change
        self.flip = flip
        self.inputs: list[Pose2D] = []

    def __call__(self, pose: Pose2D) -> Pose3D:
        self.inputs.append(pose)
        clip = self.clips[pose.source]
        joints = clip.joints
        if self.flip and len(self.inputs) % 2 == 0:
            joints = mirror_joints(joints)
        return Pose3D(self.change(joints.copy(), clip)[None], fps=pose.fps)


def _offset(metres: dict[str, float], joint: int = 3):
    """Moves one joint of each action by so much."""

    def change(joints: np.ndarray, clip: PairedClip) -> np.ndarray:
        joints[:, joint, 1] += metres[clip.action]
        return joints

    return change


@pytest.mark.parametrize("flip", [False, True])
def test_a_perfect_lifter_has_no_error(clips, flip):
    report = evaluate_h36m(Oracle(clips, flip=flip), clips, "gt", flip).to_dict()
    assert (report["protocol"], report["keypoints"], report["flip"]) == ("h36m", "gt", flip)
    assert report["subjects"] == ["S11", "S9"]
    assert report["num_actions"] == "2 of 15"
    for key in ("p1_mm", "p2_mm", "n_mpjpe_mm", "mpjve_mm_per_frame", "end_joints_mm"):
        assert report["average"][key] < 2e-3
    frames = sum(m.num_frames for m in h36m_motions().values())
    assert report["average"]["poses"] == 4 * frames
    assert sum(a["poses"] for a in report["actions"].values()) == 4 * frames


def test_actions_count_alike_and_frames_within_an_action(clips):
    """Eating is off by 17 mm in the ankle, Walking by 34 mm, but Walking 1 of S9 not at all."""

    def change(joints: np.ndarray, clip: PairedClip) -> np.ndarray:
        if not clip.name.startswith("S9/Walking 1/"):
            joints[:, 3, 1] += {"Eating": 0.017, "Walking": 0.034}[clip.action]
        return joints

    frames = {pair: m.num_frames for pair, m in h36m_motions().items()}
    walking = {pair: n for pair, n in frames.items() if pair[1].startswith("Walking")}
    share = 1 - walking["S9", "Walking 1"] / sum(walking.values())
    report = evaluate_h36m(Oracle(clips, change), clips, "gt").to_dict()
    eating, walk = report["actions"]["Eating"], report["actions"]["Walking"]
    assert eating["p1_mm"] == pytest.approx(1, abs=1e-3)
    assert walk["p1_mm"] == pytest.approx(2 * share, abs=1e-3)
    assert list(report["actions"]) == ["Eating", "Walking"]  # order of the data set
    average = report["average"]
    assert average["p1_mm"] == pytest.approx((1 + 2 * share) / 2, abs=1e-3)
    assert average["end_joints_mm"] == pytest.approx(17 / 4 * average["p1_mm"], abs=1e-3)
    assert average["per_joint_mm"]["right_ankle"] == pytest.approx(17 * average["p1_mm"], abs=2e-3)
    assert average["per_joint_mm"]["left_ankle"] < 1e-3
    # Weighted by frames it would be another number.
    pooled = (eating["p1_mm"] * eating["poses"] + walk["p1_mm"] * walk["poses"]) / average["poses"]
    assert abs(pooled - average["p1_mm"]) > 0.01


def test_every_metric_equals_an_independent_computation(clips):
    rng = np.random.default_rng(0)
    errors = {clip.name: 0.03 * rng.normal(size=clip.joints.shape) for clip in clips}
    report = evaluate_h36m(
        Oracle(clips, lambda joints, clip: joints + errors[clip.name]), clips, "gt"
    ).to_dict()
    sums: dict[str, dict[str, list[float]]] = {}
    for clip in clips:
        truth = clip.joints.astype(np.float64)
        pose = (clip.joints + errors[clip.name]).astype(np.float32).astype(np.float64)
        truth, pose = truth - truth[:, :1], pose - pose[:, :1]
        rows = sums.setdefault(clip.action, {"p1": [], "p2": [], "p3": [], "vel": [], "acc": []})
        for t in range(len(truth)):
            rows["p1"].append(np.mean([np.sqrt(sum(d * d)) for d in pose[t] - truth[t]]))
            a, b, _ = procrustes(truth[t], pose[t])
            size = np.sqrt(((truth[t] - truth[t].mean(axis=0)) ** 2).sum())
            rows["p2"].append(size * np.mean(np.linalg.norm(a - b, axis=1)))
            scale = np.vdot(pose[t], truth[t]) / np.vdot(pose[t], pose[t])
            rows["p3"].append(np.mean(np.linalg.norm(scale * pose[t] - truth[t], axis=1)))
        for t in range(1, len(truth)):
            gap = (pose[t] - pose[t - 1]) - (truth[t] - truth[t - 1])
            rows["vel"].append(np.mean(np.linalg.norm(gap, axis=1)))
        for t in range(2, len(truth)):
            second = [x[t] - 2 * x[t - 1] + x[t - 2] for x in (pose, truth)]
            rows["acc"].append(np.mean(np.linalg.norm(second[0] - second[1], axis=1)))
    keys = ("p1_mm", "p2_mm", "n_mpjpe_mm", "mpjve_mm_per_frame", "acceleration_mm_per_frame2")
    for key, name in zip(keys, ("p1", "p2", "p3", "vel", "acc"), strict=True):
        by_action = [1000 * np.mean(rows[name]) for rows in sums.values()]
        assert report["average"][key] == pytest.approx(np.mean(by_action), rel=1e-6)


def test_the_lifter_gets_the_detections_in_their_own_image(clips):
    oracle = Oracle(clips)
    evaluate_h36m(oracle, clips, "gt")
    for pose, clip in zip(oracle.inputs, clips, strict=True):
        np.testing.assert_array_equal(pose.keypoints[0], clip.keypoints)
        assert (pose.fps, pose.image_size) == (50, clip.image_size)


def test_flip_mirrors_the_input_and_averages(clips):
    def right(joints: np.ndarray, clip: PairedClip) -> np.ndarray:
        joints[:, 10, 0] += 0.1
        return joints

    oracle = Oracle(clips, right, flip=True)
    report = evaluate_h36m(oracle, clips, "gt", flip=True)
    assert report.to_dict()["average"]["per_joint_mm"]["head"] < 1e-2
    for plain, mirrored in zip(oracle.inputs[::2], oracle.inputs[1::2], strict=True):
        np.testing.assert_allclose(
            mirrored.keypoints[..., 3, 0], 1000 - plain.keypoints[..., 6, 0], atol=1e-3
        )
    assert "with flip averaging" in report.table()


def test_clips_in_any_order_give_the_same_digits(clips):
    rng = np.random.default_rng(1)
    errors = {clip.name: 0.03 * rng.normal(size=clip.joints.shape) for clip in clips}
    oracle = Oracle(clips, lambda joints, clip: joints + errors[clip.name])
    expected = evaluate_h36m(oracle, clips, "gt").to_dict()
    assert evaluate_h36m(oracle, clips[::-1], "gt").to_dict() == expected


def test_fifteen_actions():
    clips = [
        PairedClip(f"S9/{a}/x", "S9", a, np.zeros((1, 17, 2)), np.eye(17)[None, :, :3], (9, 9), 50)
        for a in ACTIONS
    ]
    report = evaluate_h36m(
        Oracle(clips, _offset({a: 0.017 * n for n, a in enumerate(ACTIONS)})), clips, "gt"
    ).to_dict()
    assert report["num_actions"] == "15 of 15"
    assert report["average"]["p1_mm"] == pytest.approx(7, abs=1e-3)
    # One frame has no velocity: nothing to average, rather than a good score.
    assert report["average"]["mpjve_mm_per_frame"] is None


def test_an_undefined_action_makes_no_average(clips):
    def nothing(joints: np.ndarray, clip: PairedClip) -> np.ndarray:
        return joints * np.nan if clip.action == "Eating" else joints

    report = evaluate_h36m(Oracle(clips, nothing), clips, "gt")
    whole = report.to_dict()
    assert whole["average"]["p1_mm"] is None
    assert whole["actions"]["Walking"]["p1_mm"] < 1e-3
    assert whole["average"]["undefined"]["p1"] == whole["actions"]["Eating"]["poses"]
    json.dumps(whole, allow_nan=False)
    assert " - " in report.table()


def test_the_table_names_the_protocol(clips):
    table = evaluate_h36m(Oracle(clips), clips, "cpn_ft_h36m_dbb").table()
    assert table.startswith("protocol h36m, no flip averaging; millimetres\n")
    assert "lifter not described" in table

    def mine(pose: Pose2D) -> Pose3D:
        return Pose3D(clips[0].joints[None], meta={"network": "mine", "window": 9})

    assert "lifted by mine, which does not say how" in evaluate_h36m(mine, clips[:1], "gt").table()
    for words in ("keypoints: cpn_ft_h36m_dbb", "subjects: S11, S9", "actions: 2 of 15", "average"):
        assert words in table
    assert max(len(line) for line in table.splitlines()[6:]) <= 100


def test_what_cannot_be_measured(clips, folder):
    with pytest.raises(UsageError, match="no clip"):
        evaluate_h36m(Oracle(clips), [], "gt")
    with pytest.raises(DataError, match="half_widths"):
        evaluate_h36m(Oracle(clips), motionbert.read(folder / motionbert.FILE), "gt")
    with pytest.raises(DataError, match=r"no 2\.5D factor"):
        evaluate_motionbert(Oracle(clips), clips)
    with pytest.raises(DataError, match="shape"):
        evaluate_h36m(lambda pose: Pose3D(np.zeros((1, 1, 17, 3))), clips, "gt")


@pytest.fixture(scope="module")
def image_clips(folder) -> list[PairedClip]:
    return motionbert.read(folder / motionbert.FILE)


def test_three_sequences_are_skipped(image_clips):
    oracle = Oracle(image_clips)
    report = evaluate_motionbert(oracle, image_clips, "half_widths").to_dict()
    asked = {pose.source.rpartition("_ca_")[0] for pose in oracle.inputs}
    everything = {clip.source for clip in image_clips}
    assert everything - asked == set(SKIPPED)
    assert report["clips_left_out"] == 12
    assert list(report["actions"]) == ["Eating", "Greeting", "Waiting", "Walking"]
    assert report["actions"]["Waiting"]["poses"] == 4 * motion(0).num_frames


def test_image_coordinates_times_the_factor_are_the_truth(image_clips):
    report = evaluate_motionbert(Oracle(image_clips), image_clips, "half_widths").to_dict()
    assert report["predictions"] == "half image widths x 2.5D factor"
    assert report["average"]["p1_mm"] < 1e-2


def test_the_factor_is_that_of_each_frame(image_clips):
    """One joint is off by 0.01 half widths = 5 px, worth the factor of that frame."""

    def change(joints: np.ndarray, clip: PairedClip) -> np.ndarray:
        joints[:, 13, 2] += 0.01
        return joints

    report = evaluate_motionbert(Oracle(image_clips, change), image_clips, "half_widths").to_dict()
    for action, errors in report["actions"].items():
        factors = [
            5 * clip.metres_per_unit / 0.5
            for clip in image_clips
            if clip.action == action and clip.source not in SKIPPED
        ]
        expected = np.concatenate(factors).mean()
        assert errors["per_joint_mm"]["left_wrist"] == pytest.approx(expected, rel=1e-4)


def test_a_lifter_in_metres_is_measured_as_it_is(image_clips):
    truth = {clip.name: clip.truth for clip in image_clips}
    oracle = Oracle(image_clips, lambda joints, clip: truth[clip.name])
    report = evaluate_motionbert(oracle, image_clips)
    assert report.to_dict()["average"]["p1_mm"] < 1e-2
    assert "predictions: metres" in report.table()
    assert report.table().startswith("protocol h36m-motionbert, no flip averaging")

"""The protocol `mocap` against a second, plain implementation and against values by hand."""

from __future__ import annotations

import json
import zlib
from math import atan2, cos, hypot, radians, sin
from pathlib import Path

import numpy as np
import pytest

from poselift.data.mocap import Motion, read_motions
from poselift.data.procedural import generate
from poselift.errors import DataError, UsageError
from poselift.evaluation.mocap import (
    camera_joints,
    cameras,
    detector_noise,
    evaluate,
    project_views,
)
from poselift.geometry.mirror import mirror_joints
from poselift.poses import Pose2D, Pose3D
from poselift.skeleton import H36M_17, Skeleton


def _see(joint, position, target):
    """Camera coordinates and pixels of one joint, by two turns: heading and tilt."""
    dx, dy, dz = (t - p for t, p in zip(target, position, strict=True))
    heading, tilt = atan2(dy, dx), atan2(dz, hypot(dx, dy))
    x, y, z = (j - p for j, p in zip(joint, position, strict=True))
    ahead = x * cos(heading) + y * sin(heading)
    right = x * sin(heading) - y * cos(heading)
    forward = ahead * cos(tilt) + z * sin(tilt)
    down = ahead * sin(tilt) - z * cos(tilt)
    return (right, down, forward), (500 + 1145 * right / forward, 500 + 1145 * down / forward)


def _view_by_hand(joints: np.ndarray, k: int):
    frames = [[tuple(map(float, joint)) for joint in frame] for frame in joints]
    target = tuple(sum(frame[0][i] for frame in frames) / len(frames) for i in range(3))
    azimuth = radians((45, 135, 225, 315)[k])
    d = 4.5
    while True:
        position = (target[0] + d * cos(azimuth), target[1] + d * sin(azimuth), 1.5)
        seen = [[_see(joint, position, target) for joint in frame] for frame in frames]
        if all(
            p[2] > 1 and 50 < u[0] < 950 and 50 < u[1] < 950 for frame in seen for p, u in frame
        ):
            return (
                d,
                np.array([[p for p, _ in f] for f in seen]),
                np.array([[u for _, u in f] for f in seen]),
            )
        d += 0.25


def _noise_by_hand(name: str, k: int, u: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(f"{name}/{k}".encode()))
    frames = len(u)
    n = rng.normal(size=(frames, 17, 2))
    o = rng.random(size=(frames, 17)) < 0.02
    m = rng.normal(size=(frames, 17, 2))
    out = np.empty_like(u)
    for t in range(frames):
        h = max(u[t, :, 1]) - min(u[t, :, 1])
        for j in range(17):
            sigma = 0.018 if j in (3, 6, 13, 16) else 0.012
            for axis in (0, 1):
                out[t, j, axis] = u[t, j, axis] + n[t, j, axis] * sigma * h
                if o[t, j]:
                    out[t, j, axis] += m[t, j, axis] * 0.08 * h
    return out


def _check(motion: Motion) -> set[float]:
    views, truth, found = project_views(motion), camera_joints(motion), cameras(motion)
    centre = motion.joints[:, 0].astype(np.float64).mean(axis=0)
    distances = set()
    for k in range(4):
        d, joints, pixels = _view_by_hand(motion.joints, k)
        distances.add(d)
        assert np.hypot(*(found[k].position - centre)[:2]) == pytest.approx(d, abs=1e-9)
        np.testing.assert_allclose(truth[k], joints, atol=1e-9)
        np.testing.assert_allclose(views[k], pixels, atol=1e-8)
        noisy = detector_noise(motion.name, k, views[k])
        np.testing.assert_allclose(noisy, _noise_by_hand(motion.name, k, pixels), atol=1e-7)
        assert not np.allclose(noisy, views[k], atol=1)
    return distances


def test_the_protocol_equals_a_plain_implementation_on_real_motion(shared: Path):
    motions = read_motions(shared / "data" / "cmu-mocap" / "motions_test.npz")
    motion = min(motions, key=lambda m: m.num_frames)
    assert max(_check(motion)) > 4.5  # the search for a distance has something to do


@pytest.mark.parametrize(("far", "least"), [(0.0, 4.5), (4.0, 7.0)])
def test_the_protocol_equals_a_plain_implementation_near_and_far(far: float, least: float):
    walk = generate("wave", seconds=0.4, seed=2)
    joints = walk.joints + [[[far, 0, 0]]] * np.linspace(-1, 1, walk.num_frames)[:, None, None]
    distances = _check(Motion("a/b é", "", "", "", joints, 50))
    assert min(distances) >= least


def test_a_hand_close_to_a_camera_pushes_that_camera_away():
    joints = generate("wave", seconds=0.02).joints.astype(np.float64)
    # In the middle of the first camera's image, but 0.7 m from it.
    joints[:, 16] = joints[:, 0] + [3.8 * cos(radians(45)), 3.8 * sin(radians(45)), 0.45]
    motion = Motion("reach", "", "", "", joints, 50)
    assert _view_by_hand(motion.joints, 0)[0] == 5.0
    _check(motion)


def test_cameras_do_not_depend_on_the_block_of_distances(monkeypatch):
    motion = generate("walk", seconds=3, seed=3)
    expected = project_views(motion)
    monkeypatch.setattr("poselift.evaluation.mocap._BLOCK", 1)
    np.testing.assert_allclose(project_views(motion), expected, atol=1e-9)


def test_a_motion_too_large_for_any_camera_is_refused():
    joints = generate("walk", seconds=0.1).joints.copy()
    joints[0] += 5000
    with pytest.raises(DataError, match="does not fit"):
        cameras(Motion("giant", "", "", "", joints, 50))


MOTIONS = [generate("walk", 1.0, seed=0), generate("squat", 0.5, seed=1)]
MOTIONS[1] = Motion("squat-1", "1", "subject", "squat", MOTIONS[1].joints, 50)


class Oracle:
    """A lifter that knows the truth and changes it as it is told.

    With ``flip`` every second call is the mirrored one.
    """

    def __init__(self, change=lambda joints: joints, flip=False):
        self.change = change
        self.flip = flip
        self.inputs: list[Pose2D] = []

    def __call__(self, pose: Pose2D) -> Pose3D:
        self.inputs.append(pose)
        joints = camera_joints(next(m for m in MOTIONS if m.name == pose.source))
        if self.flip and len(self.inputs) % 2 == 0:
            joints = mirror_joints(joints)
        return Pose3D(self.change(joints), fps=pose.fps)


def _offset(joint: int, metres: float):
    def change(joints: np.ndarray) -> np.ndarray:
        joints = joints.copy()
        joints[..., joint, 1] += metres
        return joints

    return change


@pytest.mark.parametrize("noise", ["gt", "detector"])
@pytest.mark.parametrize("flip", [False, True])
def test_a_perfect_lifter_has_no_error(noise: str, flip: bool):
    report = evaluate(Oracle(flip=flip), MOTIONS, noise, flip).to_dict()
    assert (report["protocol"], report["noise"], report["flip"]) == ("mocap", noise, flip)
    assert report["all"]["poses"] == 4 * 75
    assert report["subject"]["poses"] == 4 * 25
    assert (report["all"]["sequences"], report["subject"]["sequences"]) == (2, 1)
    for group in (report["all"], report["subject"], *report["sequences"]):
        for key in ("p1_mm", "p2_mm", "n_mpjpe_mm", "mpjve_mm_per_frame", "end_joints_mm"):
            assert group[key] < 1e-3  # float32 of a person some metres away
        assert set(group["undefined"].values()) == {0}


def test_a_known_error_gives_the_values_by_hand():
    report = evaluate(Oracle(_offset(3, 0.010)), MOTIONS).to_dict()
    for group in (report["all"], report["subject"], *report["all"]["cameras"]):
        assert group["p1_mm"] == pytest.approx(10 / 17, abs=1e-3)
        assert group["end_joints_mm"] == pytest.approx(10 / 4, abs=1e-3)
        assert group["per_joint_mm"]["right_ankle"] == pytest.approx(10, abs=1e-3)
        assert group["per_joint_mm"]["left_ankle"] == pytest.approx(0, abs=1e-3)
        assert group["mpjve_mm_per_frame"] == pytest.approx(0, abs=2e-3)
        assert group["p2_mm"] > 0.5


def test_an_error_of_the_root_moves_all_other_joints():
    report = evaluate(Oracle(_offset(0, 0.010)), MOTIONS).to_dict()
    assert report["all"]["p1_mm"] == pytest.approx(10 * 16 / 17, abs=1e-3)
    assert report["all"]["per_joint_mm"]["pelvis"] == 0


def test_size_and_place_of_the_prediction():
    report = evaluate(Oracle(lambda j: 1.25 * j + [1, 2, 3]), MOTIONS).to_dict()["all"]
    assert report["p1_mm"] > 50
    assert report["n_mpjpe_mm"] < 2e-3
    assert report["p2_mm"] < 2e-3


def test_a_shaking_lifter_has_velocity_error():
    def shake(joints: np.ndarray) -> np.ndarray:
        joints = joints.copy()
        joints[:, 1::2, 13, 0] += 0.017  # every second frame
        return joints

    report = evaluate(Oracle(shake), MOTIONS).to_dict()["all"]
    assert report["mpjve_mm_per_frame"] == pytest.approx(1, abs=2e-3)
    assert report["acceleration_mm_per_frame2"] == pytest.approx(2, abs=4e-3)


def test_every_frame_counts_alike_whatever_its_sequence():
    def only_walk(joints: np.ndarray) -> np.ndarray:
        return _offset(3, 0.017)(joints) if joints.shape[1] == 50 else joints

    report = evaluate(Oracle(only_walk), MOTIONS).to_dict()
    assert report["all"]["p1_mm"] == pytest.approx(2 / 3, abs=1e-3)
    assert [s["p1_mm"] for s in report["sequences"]] == pytest.approx([1, 0], abs=1e-3)


def test_cameras_are_told_apart():
    def third(joints: np.ndarray) -> np.ndarray:
        joints = joints.copy()
        joints[2] = _offset(3, 0.017)(joints[2])
        return joints

    report = evaluate(Oracle(third), MOTIONS).to_dict()
    assert [c["p1_mm"] for c in report["all"]["cameras"]] == pytest.approx([0, 0, 1, 0], abs=1e-3)
    assert [c["azimuth_degrees"] for c in report["all"]["cameras"]] == [45, 135, 225, 315]
    assert report["sequences"][0]["cameras"][2]["p1_mm"] == pytest.approx(1, abs=1e-3)


def test_the_input_is_what_the_protocol_says():
    for noise in ("gt", "detector"):
        oracle = Oracle()
        evaluate(oracle, MOTIONS, noise)
        for pose, motion in zip(oracle.inputs, MOTIONS, strict=True):
            expected = project_views(motion)
            if noise == "detector":
                expected = np.stack(
                    [detector_noise(motion.name, k, u) for k, u in enumerate(expected)]
                )
            np.testing.assert_array_equal(pose.keypoints, expected.astype(np.float32))
            assert (pose.scores == 1).all()
            assert (pose.fps, pose.image_size) == (50, (1000, 1000))


def test_progress_is_told():
    steps = []
    evaluate(Oracle(), MOTIONS, progress=lambda *step: steps.append(step))
    assert steps == [(1, 2), (2, 2)]


def test_the_mirrored_input_is_the_noisy_input_mirrored():
    oracle = Oracle(flip=True)
    evaluate(oracle, MOTIONS[:1], "detector", flip=True)
    plain, mirrored = (pose.keypoints for pose in oracle.inputs)
    for left, right in ((4, 1), (5, 2), (6, 3), (11, 14), (12, 15), (13, 16), (0, 0), (9, 9)):
        np.testing.assert_allclose(mirrored[:, :, left, 0], 1000 - plain[:, :, right, 0], atol=1e-3)
        np.testing.assert_array_equal(mirrored[:, :, left, 1], plain[:, :, right, 1])


def test_flip_averages_with_the_mirrored_prediction():
    # An error to the right in both calls cancels, an error downward stays.
    def right(joints: np.ndarray) -> np.ndarray:
        joints = joints.copy()
        joints[..., 10, 0] += 0.1
        return joints

    with_flip = evaluate(Oracle(right, flip=True), MOTIONS, flip=True).to_dict()["all"]
    without = evaluate(Oracle(right), MOTIONS).to_dict()["all"]
    assert without["per_joint_mm"]["head"] == pytest.approx(100, abs=1e-2)
    assert with_flip["per_joint_mm"]["head"] == pytest.approx(0, abs=1e-2)
    down = evaluate(Oracle(_offset(10, 0.1), flip=True), MOTIONS, flip=True).to_dict()["all"]
    assert down["per_joint_mm"]["head"] == pytest.approx(100, abs=1e-2)
    # An error of one wrist is shared by both after averaging.
    wrist = evaluate(Oracle(_offset(13, 0.1), flip=True), MOTIONS, flip=True).to_dict()["all"][
        "per_joint_mm"
    ]
    assert wrist["left_wrist"] == pytest.approx(50, abs=1e-2)
    assert wrist["right_wrist"] == pytest.approx(50, abs=1e-2)


def test_degenerate_predictions_are_counted():
    def lazy(joints: np.ndarray) -> np.ndarray:
        joints = _offset(3, 0.017)(joints)
        joints[0, 0] = np.nan
        joints[1, 3:5] = 1.0
        return joints

    report = evaluate(Oracle(lazy), MOTIONS)
    whole = report.to_dict()["all"]
    assert whole["undefined"]["p1"] == 2
    assert whole["undefined"]["p2"] == whole["undefined"]["n_mpjpe"] == 2 + 4
    assert whole["poses"] == 300
    assert report.errors(camera=2).p1.value == pytest.approx(0.001, abs=1e-6)


def test_a_lifter_that_finds_nothing_has_no_score():
    report = evaluate(Oracle(lambda joints: joints * np.nan), MOTIONS)
    whole = json.loads(report.to_json())["all"]
    assert whole["p1_mm"] is None
    assert whole["end_joints_mm"] is None
    assert whole["undefined"]["p1"] == whole["poses"] == 300
    assert " - " in report.table()


def test_the_report_can_be_read_by_machine_and_by_eye():
    report = evaluate(Oracle(_offset(3, 0.017), flip=True), MOTIONS[:1], "detector", flip=True)
    assert json.loads(report.to_json()) == report.to_dict()
    assert report.to_dict()["subject"] is None
    table = report.table()
    assert "noise detector, with flip averaging; millimetres" in table
    for words in ("P1", "P2", "N-MPJPE", "MPJVE", "right_ankle", "walk-0", "camera 3"):
        assert words in table
    assert "subject" not in table
    assert max(map(len, table.splitlines()[3:])) <= 100


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(UsageError, match="noise"):
        evaluate(Oracle(), MOTIONS, "cpn")
    with pytest.raises(UsageError, match="no motion"):
        evaluate(Oracle(), [])
    with pytest.raises(DataError, match="shape"):
        evaluate(lambda pose: Pose3D(np.zeros((1, pose.num_frames, 17, 3))), MOTIONS)
    other = Skeleton("other", H36M_17.joints[::-1], {}, "pelvis")
    with pytest.raises(DataError, match="other"):
        evaluate(
            lambda pose: Pose3D(np.zeros((*pose.keypoints.shape[:3], 3)), skeleton=other), MOTIONS
        )

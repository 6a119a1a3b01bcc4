"""The protocol `3dhp` against values by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from dataset_files import write_3dhp_test

from poselift.data import mpi_inf_3dhp
from poselift.data.clips import PairedClip
from poselift.data.mpi_inf_3dhp import TEST_FRAMES
from poselift.errors import DataError, UsageError
from poselift.evaluation.mpi_inf_3dhp import evaluate_3dhp
from poselift.poses import Pose2D, Pose3D
from poselift.skeleton import H36M_17


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> list[PairedClip]:
    path = tmp_path_factory.mktemp("3dhp") / "data_test_3dhp.npz"
    write_3dhp_test(path)
    return mpi_inf_3dhp.read_test(path)


class Oracle:
    def __init__(self, clips, change=lambda joints, clip: joints):
        self.clips = {clip.name: clip for clip in clips}
        self.change = change
        self.inputs: list[Pose2D] = []

    def __call__(self, pose: Pose2D) -> Pose3D:
        self.inputs.append(pose)
        clip = self.clips[pose.source]
        return Pose3D(self.change(clip.joints.copy(), clip)[None], fps=pose.fps)


def _off(joint: str, millimetres: dict[str, float]):
    n = H36M_17.index(joint)

    def change(joints: np.ndarray, clip: PairedClip) -> np.ndarray:
        joints[:, n, 2] += millimetres.get(clip.name, 0) / 1000
        return joints

    return change


def test_a_perfect_lifter(clips):
    report = evaluate_3dhp(Oracle(clips), clips).to_dict()
    assert report["protocol"] == "3dhp"
    assert report["all"]["pck_percent"] == 100
    assert report["all"]["auc_percent"] == pytest.approx(100 * 30 / 31, abs=1e-5)
    assert report["all"]["p1_mm"] < 1e-3
    assert not report["official_frames"]
    assert set(report["scenes"]) == {"green screen", "no green screen", "outdoor"}


def test_numbers_worked_out_by_hand(clips):
    """TS1 has 7 valid frames, TS2 8, ..., TS6 12: 57 in all.

    In TS1 the right wrist is off by 170 mm and in TS6 by 102 mm, all else is exact.

    PCK: of 14 x 57 joints 7 are wrong: 791 / 798.
    AUC: an exact joint is right at 30 of 31 thresholds, one of 170 mm at none, one of 102 mm at
    105, 110, ..., 150: 10. (30 x (798 - 7 - 12) + 10 x 12) / (31 x 798) = 23490 / 24738.
    MPJPE: (7 x 170 + 12 x 102) / (17 x 57) = 2414 / 969 mm: frames count alike, not sequences;
    for TS1 alone 10 mm, for TS6 6 mm, outdoors (TS5, TS6) 6 x 12 / 23.
    """
    change = _off("right_wrist", {"TS1": 170.0, "TS6": 102.0})
    report = evaluate_3dhp(Oracle(clips, change), clips).to_dict()
    whole = report["all"]
    assert whole["poses"] == 57
    assert whole["pck_percent"] == pytest.approx(100 * 791 / 798, abs=1e-6)
    assert whole["auc_percent"] == pytest.approx(100 * 23490 / 24738, abs=1e-6)
    assert whole["p1_mm"] == pytest.approx(2414 / 969, abs=1e-3)
    assert report["sequences"]["TS1"]["p1_mm"] == pytest.approx(10, abs=1e-3)
    assert report["sequences"]["TS6"]["p1_mm"] == pytest.approx(6, abs=1e-3)
    assert report["scenes"]["outdoor"]["p1_mm"] == pytest.approx(72 / 23, abs=1e-3)
    assert whole["pck_percent_by_group"]["wrists"] == pytest.approx(100 * (114 - 7) / 114, abs=1e-6)
    assert whole["pck_percent_by_group"]["elbows"] == 100
    assert whole["per_joint_mm"]["right_wrist"] == pytest.approx(2414 / 57, abs=1e-3)


def test_frames_weight_sequences_as_the_matlab_code_does(clips):
    rng = np.random.default_rng(0)
    noise = {clip.name: 0.1 * rng.normal(size=clip.joints.shape) for clip in clips}
    oracle = Oracle(clips, lambda joints, clip: joints + noise[clip.name])
    report = evaluate_3dhp(oracle, clips).to_dict()
    parts = report["sequences"].values()
    frames = sum(part["poses"] for part in parts)
    for key in ("pck_percent", "auc_percent", "p1_mm", "p2_mm"):
        weighted = sum(part[key] * part["poses"] for part in parts) / frames
        assert report["all"][key] == pytest.approx(weighted, rel=1e-6)


@pytest.mark.parametrize(
    ("joint", "in_pck"), [("pelvis", True), ("spine", False), ("neck", False), ("head", True)]
)
def test_which_joints_count(clips, joint, in_pck):
    """Joints by our names: the base of the skull is `neck`, the crown `head`; a pelvis that is
    off moves all others."""
    off = _off(joint, dict.fromkeys(mpi_inf_3dhp.TEST, 500.0))
    report = evaluate_3dhp(Oracle(clips, off), clips).to_dict()
    assert (report["all"]["pck_percent"] < 99) == in_pck
    assert report["all"]["p1_mm"] > 20
    group = report["all"]["pck_percent_by_group"]["head"]
    assert group == (0 if joint in ("pelvis", "head") else 100)


def test_invalid_frames_are_seen_and_not_measured(clips):
    def change(joints: np.ndarray, clip: PairedClip) -> np.ndarray:
        joints[2, 3:] += 9.0
        return joints

    oracle = Oracle(clips, change)
    report = evaluate_3dhp(oracle, clips).to_dict()
    assert report["all"]["p1_mm"] < 1e-3
    for pose, clip in zip(oracle.inputs, clips, strict=True):
        assert pose.num_frames == clip.num_frames
    # Velocities: TS1 has frames 0-1 and 3-7, so 1 + 4 of them, none across the gap.
    result = evaluate_3dhp(oracle, clips).sequences["TS1"]
    assert (result.errors.mpjve.count, result.errors.acceleration.count) == (5, 3)
    assert report["all"]["mpjve_mm_per_frame"] < 1e-3


def test_the_frame_rate_can_be_that_of_the_network(clips):
    oracle = Oracle(clips)
    evaluate_3dhp(oracle, clips, fps=50.0)
    assert {pose.fps for pose in oracle.inputs} == {50.0}
    assert {pose.image_size for pose in oracle.inputs} == {(2048, 2048), (1920, 1080)}


def test_official_frames(clips):
    shape = (17, 3)
    official = [
        PairedClip(name, name, "", np.zeros((n, 17, 2)), np.ones((n, *shape)), (9, 9), 25.0)
        for name, n in TEST_FRAMES.items()
    ]
    report = evaluate_3dhp(Oracle(official), official)
    assert report.to_dict()["official_frames"]
    assert report.to_dict()["all"]["poses"] == 2929
    assert "valid frames: the official ones" in report.table()
    assert "NOT the official ones" in evaluate_3dhp(Oracle(clips), clips).table()


def test_the_report_by_machine_and_by_eye(clips):
    report = evaluate_3dhp(Oracle(clips), clips[:3], flip=False)
    json.dumps(report.to_dict(), allow_nan=False)
    assert list(report.to_dict()["scenes"]) == ["green screen"]
    table = report.table()
    assert table.startswith("protocol 3dhp, no flip averaging; per cent and millimetres\n")
    for words in ("PCK", "AUC", "MPJPE", "TS3", "head_top", "wrists", "sequences TS1, TS2, TS3;"):
        assert words in table


def test_a_lifter_that_finds_nothing_has_no_hit(clips):
    report = evaluate_3dhp(Oracle(clips, lambda joints, clip: joints * np.nan), clips).to_dict()
    assert report["all"]["pck_percent"] == report["all"]["auc_percent"] == 0
    assert report["all"]["p1_mm"] is None


def test_what_cannot_be_measured(clips):
    with pytest.raises(UsageError, match="no clip"):
        evaluate_3dhp(Oracle(clips), [])
    with pytest.raises(DataError, match="TS1"):
        evaluate_3dhp(Oracle(clips), [clips[0], clips[0]])
    never = PairedClip(
        "TS1", "TS1", "", np.zeros((3, 17, 2)), np.ones((3, 17, 3)), (9, 9), 25.0,
        valid=np.zeros(3, dtype=bool),
    )  # fmt: skip
    with pytest.raises(DataError, match="no valid frame"):
        evaluate_3dhp(Oracle([never]), [never])

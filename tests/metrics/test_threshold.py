"""PCK and AUC: values worked out by hand, and a brute force count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poselift.errors import DataError
from poselift.layouts import MPI_INF_3DHP_17
from poselift.metrics.threshold import GROUPS, PCK_JOINTS, THRESHOLDS_MM, CorrectJoints

PELVIS = MPI_INF_3DHP_17.index("pelvis")


def test_what_is_counted():
    assert THRESHOLDS_MM[:3] == (0, 5, 10)
    assert (len(THRESHOLDS_MM), THRESHOLDS_MM[-1]) == (31, 150)
    assert set(MPI_INF_3DHP_17.joints) - set(PCK_JOINTS) == {"pelvis", "spine", "neck"}
    assert sorted(joint for group in GROUPS.values() for joint in group) == sorted(PCK_JOINTS)


def test_values_worked_out_by_hand():
    """Two frames; errors in mm of the 14 joints that count:

    frame 1: right wrist 150, left wrist 149, right ankle 20, the other 11 exact
    frame 2: head 75, left knee 1000, the other 12 exact

    PCK: 28 joints, of which right wrist (150 is not below 150) and left knee are wrong: 26 / 28.

    AUC: for each joint, how many of the 31 thresholds 0, 5, ..., 150 are above its error:
      exact: 5, ..., 150 -> 30 (0 is not above 0);   23 joints -> 690
      149:   150         ->  1
      150:   none        ->  0
      20:    25, ..., 150 -> 26
      75:    80, ..., 150 -> 15
      1000:  none        ->  0
    sum 690 + 1 + 26 + 15 = 732; AUC = 732 / (31 * 28) = 732 / 868.

    Spine and base of the skull are off by a metre in both frames and do not count.
    """
    target = np.zeros((2, 17, 3))
    predicted = target.copy()
    errors_mm = {
        (0, "right_wrist"): (150.0, 0.0, 0.0),
        (0, "left_wrist"): (0.0, 149.0, 0.0),
        (0, "right_ankle"): (0.0, 12.0, 16.0),  # 3, 4, 5
        (1, "head_top"): (75.0, 0.0, 0.0),
        (1, "left_knee"): (0.0, 0.0, 1000.0),
    }
    for (frame, joint), offset in errors_mm.items():
        predicted[frame, MPI_INF_3DHP_17.index(joint)] = np.array(offset) / 1000
    for joint in ("spine", "neck"):
        predicted[:, MPI_INF_3DHP_17.index(joint)] = 1.0
    counts = CorrectJoints()
    counts.add(predicted, target)
    assert counts.frames == 2
    assert counts.pck() == 26 / 28
    assert counts.auc() == pytest.approx(732 / 868, abs=1e-15)
    assert {name: counts.pck(joints) for name, joints in GROUPS.items()} == {
        "head": 1.0,
        "neck": 1.0,
        "shoulders": 1.0,
        "elbows": 1.0,
        "wrists": 3 / 4,
        "hips": 1.0,
        "knees": 3 / 4,
        "ankles": 1.0,
    }
    assert counts.auc(GROUPS["wrists"]) == pytest.approx((30 + 30 + 1 + 0) / (4 * 31))


def test_the_root_is_subtracted():
    target = np.random.default_rng(0).normal(size=(3, 17, 3))
    moved = target + [[[5.0, -2.0, 1.0]]] * 3
    moved[2, PELVIS, 0] += 0.2  # all other joints are 200 mm off then
    counts = CorrectJoints()
    counts.add(moved, target)
    assert counts.pck() == pytest.approx(2 / 3)


def _poses(seed: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    target = rng.normal(size=(frames, 17, 3))
    return target + 0.08 * rng.normal(size=target.shape), target


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_equals_counting_one_by_one(seed, frames):
    predicted, target = _poses(seed, frames)
    right = [0] * 31
    for p, t in zip(predicted, target, strict=True):
        for joint in range(14):
            difference = (p[joint] - p[14]) - (t[joint] - t[14])
            error = 1000 * float(difference @ difference) ** 0.5
            for n in range(31):
                right[n] += error < 5 * n
    counts = CorrectJoints()
    counts.add(predicted, target)
    assert counts.pck() == right[30] / (14 * frames)
    assert counts.auc() == pytest.approx(sum(right) / (31 * 14 * frames), abs=1e-15)


@pytest.mark.parametrize("size", [1, 3, 7, 50])
def test_batches_change_no_digit(size):
    predicted, target = _poses(1, 50)
    whole, parts, merged = CorrectJoints(), CorrectJoints(), CorrectJoints()
    whole.add(predicted, target)
    for start in range(0, 50, size):
        part = slice(start, start + size)
        parts.add(predicted[part], target[part])
        other = CorrectJoints()
        other.add(predicted[part], target[part])
        merged.merge(other)
    for counts in (parts, merged):
        assert (counts.frames, counts.pck(), counts.auc()) == (50, whole.pck(), whole.auc())


def test_a_joint_without_a_number_is_wrong():
    predicted, target = _poses(2, 2)
    counts = CorrectJoints()
    predicted[0, 3] = np.nan
    predicted[1] = np.inf
    counts.add(predicted, target)
    exact = CorrectJoints()
    exact.add(target, target)
    assert exact.pck() == 1
    assert exact.auc() == 30 / 31
    assert counts.pck() <= 13 / 28


def test_nothing_has_no_share_and_other_skeletons_are_refused():
    assert np.isnan(CorrectJoints().pck())
    assert np.isnan(CorrectJoints().auc())
    with pytest.raises(DataError, match="shape"):
        CorrectJoints().add(np.zeros((2, 16, 3)), np.zeros((2, 16, 3)))

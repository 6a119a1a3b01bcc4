from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poselift.errors import DataError
from poselift.metrics import functional
from poselift.metrics.accumulate import Mean, PoseErrors
from poselift.skeleton import END_JOINTS, H36M_17, Skeleton


@given(st.lists(st.lists(st.floats(0, 1e3) | st.just(float("nan")), max_size=5), max_size=6))
def test_batches_do_not_matter(batches):
    parts, whole, merged = Mean(), Mean(), Mean()
    for batch in batches:
        parts.add(np.array(batch))
        other = Mean()
        other.add(np.array(batch))
        merged.merge(other)
    numbers = [x for batch in batches for x in batch]
    whole.add(np.array(numbers))
    assert parts == merged
    assert (parts.count, parts.undefined) == (whole.count, whole.undefined)
    assert parts.count + parts.undefined == len(numbers)
    assert parts.value == pytest.approx(whole.value, nan_ok=True)


def test_nothing_has_no_mean():
    assert np.isnan(Mean().value)


def _sequences():
    rng = np.random.default_rng(0)
    targets = [rng.normal(size=(frames, 17, 3)) for frames in (2, 7, 1)]
    return [(t + 0.1 * rng.normal(size=t.shape), t) for t in targets]


def test_each_pose_has_the_same_weight_and_the_root_is_zero():
    errors = PoseErrors()
    for predicted, target in _sequences():
        errors.add(predicted.astype(np.float32), target)
    centred = [(p - p[:, :1], t - t[:, :1]) for p, t in _sequences()]
    p1 = np.concatenate([functional.mpjpe(p, t) for p, t in centred])
    joints = np.concatenate([functional.per_joint_error(p, t) for p, t in centred])
    assert errors.frames == errors.p1.count == 10
    assert errors.p1.value == pytest.approx(p1.mean(), rel=1e-5)
    assert errors.mpjve.count == 1 + 6 + 0  # never across two sequences
    assert errors.acceleration.count == 0 + 5 + 0
    assert errors.per_joint[0].value == 0
    table = [mean.value for mean in errors.per_joint]
    np.testing.assert_allclose(table, joints.mean(axis=0), rtol=1e-5)
    assert np.mean(table) == pytest.approx(errors.p1.value)
    ends = joints[:, list(H36M_17.indices(END_JOINTS))].mean()
    assert errors.end_joints == pytest.approx(ends, rel=1e-5)


def test_several_views_at_once_equal_one_after_the_other():
    rng = np.random.default_rng(1)
    target = rng.normal(size=(4, 6, 17, 3))
    predicted = target + rng.normal(size=target.shape)
    at_once, one_by_one, merged = PoseErrors(), PoseErrors(), PoseErrors()
    at_once.add(predicted, target)
    for p, t in zip(predicted, target, strict=True):
        one_by_one.add(p, t)
        other = PoseErrors()
        other.add(p, t)
        merged.merge(other)
    for name in ("p1", "p2", "n_mpjpe", "mpjve", "acceleration"):
        expected = getattr(at_once, name)
        for other in (one_by_one, merged):
            assert getattr(other, name).value == pytest.approx(expected.value)
            assert getattr(other, name).count == expected.count


def test_undefined_poses_are_counted_and_do_not_lower_the_mean():
    rng = np.random.default_rng(2)
    target = rng.normal(size=(5, 17, 3))
    predicted = target + [0.0, 0.0, 0.1] * (np.arange(17) == 3)[:, None]
    predicted[1, 5] = np.nan  # one joint missing
    predicted[3] = 0  # collapsed: P1 is defined, alignment is not
    errors = PoseErrors()
    errors.add(predicted, target)
    assert errors.frames == 5
    assert (errors.p1.count, errors.p1.undefined) == (4, 1)
    assert (errors.p2.count, errors.p2.undefined) == (3, 2)
    assert (errors.n_mpjpe.count, errors.n_mpjpe.undefined) == (3, 2)
    assert (errors.mpjve.count, errors.mpjve.undefined) == (2, 2)
    assert all((m.count, m.undefined) == (4, 1) for m in errors.per_joint)
    assert np.mean([m.value for m in errors.per_joint]) == pytest.approx(errors.p1.value)


def test_a_missing_root_makes_the_pose_undefined():
    target = np.random.default_rng(3).normal(size=(2, 17, 3))
    predicted = target.copy()
    predicted[0, 0] = np.nan
    errors = PoseErrors()
    errors.add(predicted, target)
    assert (errors.p1.count, errors.p1.undefined) == (1, 1)


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match="shape"):
        PoseErrors().add(np.zeros((5, 16, 3)), np.zeros((5, 16, 3)))
    with pytest.raises(DataError, match="shape"):
        PoseErrors().add(np.zeros((17, 3)), np.zeros((17, 3)))
    with pytest.raises(DataError, match="root"):
        PoseErrors(Skeleton("points", ("a", "b"), {}))
    with pytest.raises(DataError, match="pair"):
        PoseErrors().merge(PoseErrors(Skeleton("pair", ("a", "b"), {"b": "a"}, "a")))


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=30), st.integers(1, 7), st.randoms())
def test_no_batch_and_no_order_changes_a_digit(numbers, size, random):
    whole = Mean()
    whole.add(np.array(numbers))
    shuffled = list(numbers)
    random.shuffle(shuffled)
    parts = Mean()
    for start in range(0, len(shuffled), size):
        parts.add(np.array(shuffled[start : start + size]))
    assert parts == whole
    assert whole.value == pytest.approx(math.fsum(numbers) / len(numbers), abs=1e-11, rel=1e-13)


def test_the_sum_of_many_large_values_does_not_overflow():
    mean = Mean()
    for _ in range(3):
        mean.add(np.full(1000, 4e6))
    mean.add(np.array([1e200]))
    assert mean.value == pytest.approx(1e200 / 3001)
    mean.add(np.array([np.inf, -np.inf]))
    assert mean.undefined == 2


@pytest.mark.parametrize("size", [1, 2, 7, 64, 500])
def test_batches_of_poses_change_no_digit(size):
    rng = np.random.default_rng(4)
    target = rng.normal(size=(500, 17, 3)).astype(np.float32)
    predicted = (target + 0.05 * rng.normal(size=target.shape)).astype(np.float32)
    whole, parts = PoseErrors(), PoseErrors()
    whole.add(predicted, target)
    for start in range(0, 500, size):
        part = slice(start, start + size)
        parts.add(predicted[part], target[part])
    for name in ("p1", "p2", "n_mpjpe", "per_joint"):  # velocities need their neighbours
        assert getattr(parts, name) == getattr(whole, name)
    assert parts.end_joints == whole.end_joints


def test_infinite_joints_are_undefined_and_warn_nobody():
    target = np.random.default_rng(5).normal(size=(2, 17, 3))
    predicted = target.copy()
    predicted[0] = np.inf
    errors = PoseErrors()
    errors.add(predicted, target)
    assert (errors.p1.count, errors.p1.undefined, errors.p1.value) == (1, 1, 0.0)

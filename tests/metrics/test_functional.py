"""Metrics against their laws and against independent computations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import least_squares, minimize_scalar
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.transform import Rotation

from poselift.errors import DataError
from poselift.metrics.functional import (
    acceleration_error,
    mpjpe,
    n_mpjpe,
    p_mpjpe,
    per_joint_error,
    velocity_error,
)

seeds = st.integers(0, 2**32 - 1)
POSE_ERRORS = (mpjpe, p_mpjpe, n_mpjpe)


def _poses(seed: int, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    target = rng.normal(size=(*shape, 17, 3))
    return target + 0.3 * rng.normal(size=target.shape), target


@given(seeds)
def test_a_perfect_pose_has_no_error(seed):
    _, target = _poses(seed, 3)
    for error in POSE_ERRORS:
        np.testing.assert_allclose(error(target, target), 0, atol=1e-12)
    assert (velocity_error(target, target) == 0).all()
    assert (acceleration_error(target, target) == 0).all()


@given(seeds, st.floats(0.05, 20))
def test_what_each_error_does_not_see(seed, scale):
    rng = np.random.default_rng(seed)
    predicted, target = _poses(seed, 4)
    rotation, shift = Rotation.random(rng=rng).as_matrix(), rng.normal(size=3)
    moved = scale * predicted @ rotation.T + shift
    np.testing.assert_allclose(p_mpjpe(moved, target), p_mpjpe(predicted, target), atol=1e-9)
    np.testing.assert_allclose(
        n_mpjpe(scale * predicted, target), n_mpjpe(predicted, target), atol=1e-9
    )
    both = mpjpe(predicted @ rotation.T + shift, target @ rotation.T + shift)
    np.testing.assert_allclose(both, mpjpe(predicted, target), atol=1e-9)
    drift = shift * np.arange(4)[:, None, None]
    np.testing.assert_allclose(
        velocity_error(predicted + shift, target), velocity_error(predicted, target), atol=1e-9
    )
    np.testing.assert_allclose(
        acceleration_error(predicted + drift, target),
        acceleration_error(predicted, target),
        atol=1e-9,
    )


@given(seeds, st.floats(0, 10))
def test_errors_scale_with_the_unit(seed, unit):
    predicted, target = _poses(seed, 5)
    for error in (*POSE_ERRORS, velocity_error, acceleration_error):
        if unit > 0.01:
            np.testing.assert_allclose(
                error(unit * predicted, unit * target),
                unit * error(predicted, target),
                rtol=1e-9,
            )


def test_values_computed_by_hand():
    target = np.zeros((3, 2, 3))
    target[:, 1] = [0, 0, 1]
    predicted = target.copy()
    predicted[:, 1] = [0, 0, 2]
    predicted[2, 1, 0] = 3.0
    assert per_joint_error(predicted, target).tolist() == [[0, 1], [0, 1], [0, np.sqrt(10)]]
    assert mpjpe(predicted, target).tolist() == [0.5, 0.5, np.sqrt(10) / 2]
    # scale 2 / 13 for the last frame: (6, 0, 4) / 13 against (0, 0, 1)
    np.testing.assert_allclose(n_mpjpe(predicted, target), [0, 0, np.hypot(6, 9) / 26], atol=1e-15)
    assert velocity_error(predicted, target).tolist() == [0, 1.5]
    assert acceleration_error(predicted, target).tolist() == [1.5]


def _by_search(predicted: np.ndarray, target: np.ndarray) -> float:
    """P-MPJPE with a similarity found by descent from many turns."""

    def apply(v: np.ndarray) -> np.ndarray:
        return np.exp(v[6]) * Rotation.from_rotvec(v[:3]).apply(predicted) + v[3:6]

    starts = Rotation.create_group("O").as_rotvec()
    fits = [
        least_squares(
            lambda v: (apply(v) - target).ravel(), [*start, 0, 0, 0, 0], ftol=1e-15, xtol=1e-12
        )
        for start in starts[::3]
    ]
    best = min(fits, key=lambda fit: fit.cost)
    return float(np.linalg.norm(apply(best.x) - target, axis=-1).mean())


@pytest.mark.parametrize("mirrored", [False, True])
def test_p_mpjpe_equals_a_search(mirrored):
    predicted, target = _poses(11 + mirrored, 2)
    if mirrored:
        predicted = predicted * [-1, 1, 1]
    expected = [_by_search(p, t) for p, t in zip(predicted, target, strict=True)]
    np.testing.assert_allclose(p_mpjpe(predicted, target), expected, rtol=1e-5)


@given(seeds)
def test_p_mpjpe_equals_scipy_which_may_mirror(seed):
    predicted, target = _poses(seed, 1)
    a, b, _ = scipy_procrustes(target[0], predicted[0])
    size = np.linalg.norm(target[0] - target[0].mean(axis=0))
    expected = np.linalg.norm(a - b, axis=-1).mean() * size  # noise is small: no mirror needed
    np.testing.assert_allclose(p_mpjpe(predicted, target)[0], expected, rtol=1e-9)
    # scipy lays the mirrored pose on the true one just as well; we must not.
    assert p_mpjpe(predicted * [-1, 1, 1], target)[0] > expected + 0.01


def test_n_mpjpe_equals_a_search():
    predicted, target = _poses(5, 1)
    best = minimize_scalar(lambda s: ((s * predicted - target) ** 2).sum(), tol=1e-12)
    np.testing.assert_allclose(
        n_mpjpe(predicted, target), mpjpe(best.x * predicted, target), rtol=1e-6
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_missing_joint_is_never_a_good_score(value):
    predicted, target = _poses(6, 4)
    predicted[1, 8, 2] = value
    for error in POSE_ERRORS:
        assert np.isnan(error(predicted, target)).tolist() == [False, True, False, False]
        assert np.isnan(error(target, predicted)).tolist() == [False, True, False, False]
    assert np.isnan(per_joint_error(predicted, target)).sum() == 1
    assert np.isnan(velocity_error(predicted, target)).tolist() == [True, True, False]
    assert np.isnan(acceleration_error(predicted, target)).tolist() == [True, True]


def test_collapsed_poses_have_no_aligned_error():
    _, target = _poses(7, 2)
    flat = np.zeros_like(target)
    assert np.isnan(p_mpjpe(flat, target)).all()
    assert np.isnan(n_mpjpe(flat, target)).all()
    np.testing.assert_allclose(mpjpe(flat, target), np.linalg.norm(target, axis=-1).mean(axis=-1))


def test_sequences_too_short_for_a_difference_are_empty():
    predicted, target = _poses(8, 1)
    assert velocity_error(predicted, target).shape == (0,)
    assert acceleration_error(predicted, target).shape == (0,)
    assert acceleration_error(*_poses(8, 3, 2)).shape == (3, 0)


def test_float32_is_computed_in_float64():
    predicted, target = _poses(9, 3)
    for error in POSE_ERRORS:
        assert error(predicted.astype(np.float32), target.astype(np.float32)).dtype == np.float64


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="shape"):
        mpjpe(np.zeros((2, 17, 3)), np.zeros((17, 3)))
    with pytest.raises(DataError, match="sequence"):
        velocity_error(np.zeros((17, 3)), np.zeros((17, 3)))

"""The root is found from the projections."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from poselift.errors import DataError
from poselift.geometry import root as root_module
from poselift.geometry.camera import project
from poselift.geometry.root import default_focal, solve_root

FOCAL, CENTRE = np.array([1100.0, 1150.0]), np.array([640.0, 360.0])


def _scene(seed: int, frames: int = 4):
    rng = np.random.default_rng(seed)
    joints = rng.uniform(-1, 1, size=(frames, 17, 3))
    root = rng.uniform([-2, -1, 2.5], [2, 1, 30], size=(frames, 3))
    return joints, root, project(joints + root[:, None], FOCAL, CENTRE)


@given(st.integers(0, 2**32 - 1))
def test_exact_projections_give_the_root_back(seed):
    joints, root, pixels = _scene(seed)
    found = solve_root(joints, pixels, FOCAL, CENTRE)
    np.testing.assert_allclose(found, root, rtol=1e-7, atol=1e-7)


def test_batches_of_persons():
    joints, root, pixels = _scene(3, 6)
    shape = (2, 3)
    found = solve_root(joints.reshape(*shape, 17, 3), pixels.reshape(*shape, 17, 2), FOCAL, CENTRE)
    np.testing.assert_allclose(found, root.reshape(*shape, 3), rtol=1e-7)


def test_long_clips_are_solved_in_pieces(monkeypatch):
    joints, _, pixels = _scene(11, 30)
    joints, pixels = joints.reshape(2, 15, 17, 3), pixels.reshape(2, 15, 17, 2)
    weights = np.random.default_rng(0).uniform(0, 1, size=(2, 15, 17))
    whole = solve_root(joints, pixels + 3, FOCAL, CENTRE, weights)
    monkeypatch.setattr(root_module, "_CHUNK", 7)
    pieces = solve_root(joints, pixels + 3, FOCAL, CENTRE, weights)
    np.testing.assert_allclose(pieces, whole, rtol=1e-12)


def test_noisy_weighted_frame_equals_a_general_solver():
    joints, _, pixels = _scene(5, 1)
    rng = np.random.default_rng(0)
    pixels = pixels + rng.normal(size=pixels.shape) * 8
    weights = rng.uniform(0.1, 1, size=(1, 17))
    p = (pixels[0] - CENTRE) / FOCAL
    rows, right = [], []
    for j in range(17):
        for axis in (0, 1):
            row = np.zeros(3)
            row[axis], row[2] = 1, -p[j, axis]
            rows.append(np.sqrt(weights[0, j]) * row)
            value = p[j, axis] * joints[0, j, 2] - joints[0, j, axis]
            right.append(np.sqrt(weights[0, j]) * value)
    expected = lsq_linear(np.array(rows), np.array(right)).x
    found = solve_root(joints, pixels, FOCAL, CENTRE, weights)
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)


def test_missing_and_weightless_joints_do_not_count():
    joints, root, pixels = _scene(7)
    weights = np.ones(joints.shape[:-1])
    pixels[:, 2] = np.nan
    joints[:, 5] = np.nan
    pixels[:, 9], weights[:, 9] = 1e5, 0
    found = solve_root(joints, pixels, FOCAL, CENTRE, weights)
    np.testing.assert_allclose(found, root, rtol=1e-7, atol=1e-7)


def test_a_frame_of_weights_of_zero_counts_its_joints_alike():
    joints, _, pixels = _scene(4)
    pixels += np.random.default_rng(0).normal(size=pixels.shape)
    pixels[:, 2] = np.nan
    weights = np.random.default_rng(1).uniform(0.1, 1, size=joints.shape[:-1])
    weights[1] = 0
    weights[2] = 0
    weights[2, 2] = 1  # of a joint that is not there
    found = solve_root(joints, pixels, FOCAL, CENTRE, weights)
    alike = solve_root(joints, pixels, FOCAL, CENTRE)
    np.testing.assert_array_equal(found[1:3], alike[1:3])
    assert (found[[0, 3]] != alike[[0, 3]]).all()


def test_under_determined_frames_are_nan():
    joints, root, pixels = _scene(8, 5)
    pixels[0, 1:] = np.nan  # one joint
    pixels[1] = np.nan  # none
    pixels[2] = pixels[2, :1]  # all in one point
    joints[3] *= -1  # only fits behind the camera
    found = solve_root(joints, pixels, FOCAL, CENTRE)
    assert np.isnan(found[:4]).all()
    np.testing.assert_allclose(found[4], root[4], rtol=1e-7)


def test_depth_scales_with_the_focal_length():
    joints, root, pixels = _scene(9, 1)
    flat = joints * [1, 1, 0]  # for a flat person the relation is exact
    pixels = project(flat + root[:, None], 1000, CENTRE)
    found = solve_root(flat, pixels, 2000, CENTRE)
    np.testing.assert_allclose(found[0], root[0] * [1, 1, 2], rtol=1e-7)


def test_default_focal_is_that_of_the_protocol():
    assert default_focal((1000, 1000)) == 1145
    assert default_focal((720, 1280)) == default_focal((1280, 720)) == pytest.approx(1465.6)


@pytest.mark.parametrize(
    ("joints", "pixels", "focal", "weights"),
    [
        (np.zeros((2, 17, 3)), np.zeros((2, 16, 2)), 1.0, None),
        (np.zeros((2, 17, 2)), np.zeros((2, 17, 2)), 1.0, None),
        (np.zeros((2, 17, 3)), np.zeros((2, 17, 2)), 0.0, None),
        (np.zeros((2, 17, 3)), np.zeros((2, 17, 2)), 1.0, np.ones((17,))),
    ],
)
def test_what_does_not_fit_is_refused(joints, pixels, focal, weights):
    with pytest.raises(DataError):
        solve_root(joints, pixels, focal, (0, 0), weights)

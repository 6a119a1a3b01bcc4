"""Laws of alignment."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from poselift.errors import DataError
from poselift.geometry.align import align, procrustes

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.floats(0.01, 100), st.sampled_from([np.float32, np.float64]))
def test_the_similarity_that_moved_a_pose_is_found(seed, scale, dtype):
    rng = np.random.default_rng(seed)
    source = rng.normal(size=(3, 17, 3))
    rotation, shift = Rotation.random(3, rng=rng).as_matrix(), rng.normal(size=(3, 3))
    target = scale * source @ rotation.swapaxes(-1, -2) + shift[:, None]
    found = procrustes(source.astype(dtype), target.astype(dtype))
    tolerance = 1e-9 if dtype is np.float64 else 1e-4
    np.testing.assert_allclose(found.scale, scale, rtol=tolerance)
    np.testing.assert_allclose(found.rotation, rotation, atol=tolerance)
    np.testing.assert_allclose(found.shift, shift, atol=tolerance * max(1, scale))
    np.testing.assert_allclose(found.apply(source), target, atol=tolerance * max(1, scale))


@given(seeds)
def test_the_rotation_is_proper_even_for_a_mirrored_pose(seed):
    rng = np.random.default_rng(seed)
    source = rng.normal(size=(17, 3))
    for target in (source * [-1, 1, 1], rng.normal(size=(17, 3))):
        found = procrustes(source, target)
        assert np.linalg.det(found.rotation) == pytest.approx(1)
        assert np.linalg.norm(found.apply(source) - target) > 1e-3


def test_a_flat_pose_is_aligned():
    rng = np.random.default_rng(1)
    source = rng.normal(size=(17, 3)) * [1, 1, 0]
    target = Rotation.random(rng=rng).apply(source)
    np.testing.assert_allclose(align(source, target), target, atol=1e-12)


def _line(dtype=np.float64):
    return (np.linspace(0, 1, 17)[:, None] * [0.3, 0.7, 0.9] + [0.1, 0.2, 4.0]).astype(dtype)


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((17, 3)),
        np.tile([0.1, 0.2, 0.3], (17, 1)),
        np.tile(np.float32([0.1, 0.2, 4.3]), (17, 1)),
        np.array([0.1, 0.2, 4.3]) + 1e-7 * np.random.default_rng(0).normal(size=(17, 3)),
        _line(),
        _line(np.float32),
        np.full((17, 3), np.nan),
        np.full((17, 3), np.inf),
    ],
)
def test_degenerate_poses_are_undefined_whichever_side_they_are_on(bad):
    good = np.random.default_rng(2).normal(size=(17, 3))
    for source, target in ((bad, good), (good, bad), (bad, bad)):
        assert np.isnan(align(source, target)).all()
    both = align(np.stack([bad, good]), np.stack([good, good]))
    assert np.isnan(both[0]).all()
    np.testing.assert_allclose(both[1], good, atol=1e-12)  # its neighbour is untouched


def test_one_missing_joint_makes_a_pose_undefined():
    good = np.random.default_rng(2).normal(size=(17, 3))
    bad = good.copy()
    bad[4, 1] = np.nan
    assert np.isnan(align(bad, good)).all()


@pytest.mark.parametrize("shapes", [((17, 3), (16, 3)), ((17, 2), (17, 2)), ((3,), (3,))])
def test_shapes_that_do_not_fit(shapes):
    with pytest.raises(DataError, match="shape"):
        procrustes(np.zeros(shapes[0]), np.zeros(shapes[1]))

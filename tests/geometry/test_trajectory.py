"""Paths in metres."""

from __future__ import annotations

import numpy as np
import pytest

from poselift.data.mocap import read_motions
from poselift.data.procedural import generate
from poselift.errors import DataError, UsageError
from poselift.evaluation.mocap import FOCAL, IMAGE_SIZE, camera_joints, detector_noise
from poselift.geometry.camera import project
from poselift.geometry.root import solve_root
from poselift.geometry.trajectory import (
    focal_from_fov,
    solve_trajectory,
    stature,
)
from poselift.layouts import MPI_INF_3DHP_17
from poselift.skeleton import H36M_17

CENTRE = np.array(IMAGE_SIZE) / 2


@pytest.fixture(scope="module")
def scene():
    """True joints (4, T, 17, 3) in four cameras, pixels and times of a walk."""
    joints = camera_joints(generate("walk", 3.0, 50.0, seed=1))
    return joints, project(joints, FOCAL, CENTRE), np.arange(150) / 50


def relative(joints):
    return joints - joints[:, :, :1]


def test_exact_joints_give_the_path_back(scene):
    joints, pixels, times = scene
    for agility, close in ((None, 1e-5), (1.0, 0.02)):
        found = solve_trajectory(
            relative(joints), pixels, FOCAL, CENTRE, times=times, agility=agility
        )
        error = np.linalg.norm(found.root - joints[:, :, 0], axis=-1)
        assert error.max() < close
        np.testing.assert_array_equal(found.scale, 1)


def test_noise_outliers_and_gaps(scene):
    joints, pixels, times = scene
    noisy = np.stack([detector_noise("walk", k, u) for k, u in enumerate(pixels)])
    rng = np.random.default_rng(0)
    noisy[rng.random(noisy.shape[:-1]) < 0.05] += 150  # whole joints far off
    noisy[1, 40:60] = np.nan
    noisy[2, :, 3:] = np.where(rng.random((150, 14, 1)) < 0.3, np.nan, noisy[2, :, 3:])
    single = solve_root(relative(joints), noisy, FOCAL, CENTRE)
    path = solve_trajectory(relative(joints), noisy, FOCAL, CENTRE, times=times)
    assert np.isnan(path.root[1, 40:60]).all()
    assert np.isfinite(np.delete(path.root, range(40, 60), axis=1)).all()
    before = np.nanmean(np.linalg.norm(single - joints[:, :, 0], axis=-1))
    after = np.nanmean(np.linalg.norm(path.root - joints[:, :, 0], axis=-1))
    assert after < 0.04 < 0.15 < before
    assert (path.sigma_px > 1).all()


def test_height_sets_the_scale_of_joints_and_path(scene):
    joints, pixels, times = scene
    tall = stature(joints)
    small = 0.7 * relative(joints)
    found = solve_trajectory(
        small, pixels, FOCAL, CENTRE, times=times, height=float(tall[0]), agility=None
    )
    np.testing.assert_allclose(found.scale, 1 / 0.7, rtol=1e-5)
    np.testing.assert_allclose(found.stature, tall, rtol=1e-5)
    np.testing.assert_allclose(found.root, joints[:, :, 0], atol=1e-4)


def test_stature_of_people(shared):
    """Against the crown of walking people, 8 cm above the end of the head bone."""
    motions = read_motions(shared / "data/cmu-mocap/motions_val.npz")
    walkers = [m.joints.astype(float) for m in motions if m.skeleton == "subject"]
    for joints in walkers:
        crown = np.percentile(joints[:, H36M_17.index("head"), 2], 95) + 0.08
        assert abs(stature(joints[None])[0] - crown) < 0.05


def test_frames_alone_or_absent(scene):
    joints, pixels, times = scene
    one = solve_trajectory(relative(joints)[:, :1], pixels[:, :1], FOCAL, CENTRE, times=times[:1])
    np.testing.assert_allclose(one.root, joints[:, :1, 0], atol=1e-4)
    gone = pixels.copy()
    gone[0] = np.nan
    found = solve_trajectory(relative(joints), gone, FOCAL, CENTRE, times=times, height=1.7)
    assert np.isnan(found.root[0]).all()
    assert np.isnan(found.sigma_px[0])
    assert np.isfinite(found.root[1:]).all()
    nobody = solve_trajectory(
        np.full_like(joints, np.nan), pixels, FOCAL, CENTRE, times=times, height=1.7
    )
    assert np.isnan(nobody.root).all()
    assert np.isnan(nobody.stature).all()
    np.testing.assert_array_equal(nobody.scale, 1)


def test_scores_of_zero_do_not_count(scene):
    joints, pixels, times = scene
    wrong, scores = pixels.copy(), np.ones(pixels.shape[:-1])
    wrong[:, :, 10:] += 300
    scores[:, :, 10:] = 0
    found = solve_trajectory(
        relative(joints), wrong, FOCAL, CENTRE, times=times, scores=scores, agility=None
    )
    np.testing.assert_allclose(found.root, joints[:, :, 0], atol=1e-5)


def test_scores_that_are_all_zero_tell_nothing(scene):
    joints, pixels, times = scene
    found = solve_trajectory(
        relative(joints), pixels, FOCAL, CENTRE, times=times, scores=np.zeros(pixels.shape[:-1])
    )
    plain = solve_trajectory(relative(joints), pixels, FOCAL, CENTRE, times=times)
    np.testing.assert_allclose(found.root, plain.root)


def test_other_layouts_have_a_path_but_no_stature(scene):
    joints, pixels, times = scene
    found = solve_trajectory(
        relative(joints), pixels, FOCAL, CENTRE, times=times, skeleton=MPI_INF_3DHP_17
    )
    assert np.isfinite(found.root).all()
    assert np.isnan(found.stature).all()


def test_field_of_view():
    assert focal_from_fov(90, 1000) == pytest.approx(500)
    assert focal_from_fov(47.2, 1000) == pytest.approx(1145, rel=0.01)
    for fov in (0, 180, -5, np.nan):
        with pytest.raises(UsageError, match="fov"):
            focal_from_fov(fov, 1000)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"height": 0.0}, UsageError, "height"),
        ({"height": 170.0}, UsageError, "metres"),
        ({"agility": 0.0}, UsageError, "agility"),
        ({"times": np.arange(3.0)}, DataError, "times"),
        ({"scores": np.ones((4, 150, 3))}, DataError, "weights"),
        ({"joints": np.zeros((150, 17, 3))}, DataError, "joints"),
    ],
)
def test_bad_arguments(scene, options, error, match):
    joints, pixels, times = scene
    options = {"times": times, **options}
    given = options.pop("joints", relative(joints))
    with pytest.raises(error, match=match):
        solve_trajectory(given, pixels, FOCAL, CENTRE, **options)

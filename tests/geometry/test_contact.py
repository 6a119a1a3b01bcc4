"""Standing feet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.data.mocap import read_motions
from poselift.errors import DataError, UsageError
from poselift.geometry.contact import (
    ANKLE_HEIGHT,
    LEGS,
    SPEED_MEASURED,
    foot_contacts,
    hysteresis,
    lock_feet,
    runs,
)
from poselift.geometry.smooth import whittaker
from poselift.metrics.motion import acceleration, foot_skate
from poselift.skeleton import H36M_17

ANKLES = list(H36M_17.indices([leg[-1] for leg in LEGS]))


@pytest.fixture(scope="module")
def walker(shared):
    """A walk (1, T, 17, 3) and its times."""
    motion = read_motions(shared / "data/cmu-mocap/motions_val.npz")[3]
    assert motion.description == "slow walk"
    joints = motion.joints[None].astype(np.float64)
    return joints, np.arange(joints.shape[1]) / motion.fps


@pytest.fixture(scope="module")
def sliding(walker):
    """The walk with errors that last, as a lifter makes them."""
    joints, times = walker
    rng = np.random.default_rng(0)
    drift = whittaker(rng.normal(size=(len(times), 17, 3)), times, 1.5) * 0.05
    return joints + drift[None]


def bones(joints):
    parents, children = zip(*H36M_17.bones, strict=True)
    return np.linalg.norm(joints[:, :, list(parents)] - joints[:, :, list(children)], axis=-1)


def test_walking_feet_stand_in_turn(walker):
    joints, times = walker
    contacts = foot_contacts(joints, times, speed=SPEED_MEASURED)
    assert contacts.shape == (1, len(times), 2)
    assert 0.4 < contacts.mean() < 0.75
    assert contacts.any(axis=-1).mean() > 0.8  # somebody who walks is never long in the air
    for side in range(2):
        assert 2 <= len(runs(contacts[0, :, side])) <= 5
    # Standing feet are where feet stand, and do not go anywhere.
    assert joints[:, :, ANKLES, 2][contacts].max() < ANKLE_HEIGHT + 0.1
    assert np.nanmean(foot_skate(joints, contacts)) < 0.004


def test_raised_and_absent_feet_do_not_stand(walker):
    joints, times = walker
    assert not foot_contacts(joints + np.array([0, 0, 0.5]), times).any()
    assert foot_contacts(joints + np.array([0, 0, 0.5]), times, floor=False).any()
    gone = joints.copy()
    gone[:, :, ANKLES[0]] = np.nan
    contacts = foot_contacts(gone, times)
    assert not contacts[..., 0].any()
    assert contacts[..., 1].any()
    assert not foot_contacts(joints[:, :1], times[:1]).any()


def test_hysteresis_and_runs():
    times = np.arange(10) / 10
    stay = np.array([1, 1, 1, 0, 1, 1, 1, 1, 0, 1], dtype=bool)[None, :, None]
    enter = np.array([0, 0, 0, 0, 0, 1, 0, 0, 0, 1], dtype=bool)[None, :, None]
    # The first run never enters, the last is one frame: too short.
    assert runs(hysteresis(enter, stay, times)[0, :, 0]) == [(4, 8)]
    assert runs(np.zeros(3, dtype=bool)) == []


def test_locked_feet_rest_and_bones_keep_their_lengths(walker, sliding):
    joints, times = walker
    contacts = foot_contacts(joints, times, speed=SPEED_MEASURED)
    locked = lock_feet(sliding, contacts, times)
    before, after = (np.nanmean(foot_skate(x, contacts)) for x in (sliding, locked))
    assert after < 0.25 * before
    np.testing.assert_allclose(bones(locked), bones(sliding), atol=1e-6)
    assert acceleration(locked).mean() < 1.3 * acceleration(sliding).mean()
    assert np.linalg.norm(locked - sliding, axis=-1).max() < 0.2


def test_grounded_feet_stand_at_their_height(walker, sliding):
    joints, times = walker
    contacts = foot_contacts(joints, times, speed=SPEED_MEASURED)
    locked = lock_feet(sliding, contacts, times, ground=True)
    np.testing.assert_allclose(
        np.median(locked[:, :, ANKLES, 2][contacts]), ANKLE_HEIGHT, atol=0.002
    )


def test_without_contacts_nothing_moves(sliding, walker):
    times = walker[1]
    none = np.zeros((1, len(times), 2), dtype=bool)
    np.testing.assert_array_equal(lock_feet(sliding, none, times), sliding)


def test_gaps_stay(walker, sliding):
    times = walker[1]
    broken = sliding.copy()
    broken[:, 30:40] = np.nan
    broken[:, 60:65, ANKLES[1]] = np.nan
    locked = lock_feet(broken, np.ones((1, len(times), 2), dtype=bool), times)
    np.testing.assert_array_equal(np.isnan(locked), np.isnan(broken))


@given(st.integers(0, 2**32 - 1))
def test_any_leg_keeps_its_bones(seed):
    """Also straight legs, and places out of reach."""
    rng = np.random.default_rng(seed)
    joints = rng.normal(size=(1, 12, 17, 3))
    if seed % 2:
        hip, knee, ankle = H36M_17.indices(LEGS[0])
        joints[..., knee, :] = (joints[..., hip, :] + joints[..., ankle, :]) / 2
    contacts = rng.random((1, 12, 2)) < 0.6
    locked = lock_feet(joints, contacts, np.arange(12) / 30)
    np.testing.assert_allclose(bones(locked), bones(joints), atol=1e-5)


def test_bad_arguments(walker):
    joints, times = walker
    contacts = np.zeros((1, len(times), 2), dtype=bool)
    with pytest.raises(DataError, match="joints"):
        foot_contacts(joints[0], times)
    with pytest.raises(DataError, match="times"):
        foot_contacts(joints, times[1:])
    with pytest.raises(DataError, match="contacts"):
        lock_feet(joints, contacts[:, 1:], times)
    with pytest.raises(UsageError, match="blend"):
        lock_feet(joints, contacts, times, blend=0)

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poselift.data.mocap import read_motions
from poselift.data.procedural import generate
from poselift.errors import UsageError
from poselift.geometry.kinematics import fit, forward, interpolate_gaps
from poselift.layouts import COCO_17
from poselift.skeleton import H36M_17, LIMBS

KINDS = ("walk", "turn", "squat", "wave")


def y_up(world):
    """World (z up) to Y up."""
    return world[..., [1, 2, 0]].astype(np.float64)


def lengths(joints):
    return np.stack(
        [np.linalg.norm(joints[..., c, :] - joints[..., p, :], axis=-1) for p, c in H36M_17.bones],
        -1,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_constant_bones_are_followed_exactly(kind):
    joints = y_up(generate(kind, 2.0, 50.0, seed=3).joints)
    animation = fit(joints, 50.0)
    np.testing.assert_allclose(animation.joints, joints, atol=1e-5)
    np.testing.assert_allclose(
        animation.rotations @ animation.rotations.swapaxes(-1, -2),
        np.broadcast_to(np.eye(3), animation.rotations.shape),
        atol=1e-9,
    )


def test_motion_capture(shared):
    worst = 0.0
    for motion in read_motions(shared / "data/cmu-mocap/motions_mini.npz")[::4]:
        joints = y_up(motion.joints)
        animation = fit(joints, motion.fps)
        found = lengths(animation.joints)
        np.testing.assert_allclose(found, np.broadcast_to(found[0], found.shape), atol=1e-9)
        # Bones point exactly where they pointed; only their lengths are made constant.
        for parent, child in H36M_17.bones:
            one, other = ((j[:, child] - j[:, parent]) for j in (joints, animation.joints))
            cosine = (
                (one * other).sum(-1)
                / np.linalg.norm(one, axis=-1)
                / np.linalg.norm(other, axis=-1)
            )
            assert cosine.min() > 1 - 1e-6
        worst = max(worst, np.linalg.norm(animation.joints - joints, axis=-1).mean())
        # No bone turns faster than a person can: nothing flips.
        step = animation.rotations[:-1].swapaxes(-1, -2) @ animation.rotations[1:]
        angle = np.degrees(np.arccos(np.clip((np.trace(step, axis1=-2, axis2=-1) - 1) / 2, -1, 1)))
        assert angle.max() < 60
    assert worst < 0.01


def test_at_rest_nothing_turns():
    # A person in a T pose that faces +z.
    rig = fit(y_up(generate("wave", 0.1, 50.0).joints), 50.0).rig
    rest = rig.rest[list(rig.joints)]
    assert rest[H36M_17.index("left_wrist"), 0] > 0.5
    animation = fit(rest[None], 50.0)
    np.testing.assert_allclose(
        animation.rotations[0], np.broadcast_to(np.eye(3), (len(rig.names), 3, 3)), atol=1e-9
    )


@pytest.mark.parametrize(
    ("limb", "axis"), [(LIMBS[0], 0), (LIMBS[1], 0), (LIMBS[2], 1), (LIMBS[3], 1)]
)
def test_knees_and_elbows_are_hinges(limb, axis):
    """All that a limb does beyond its bend is in the joint above it."""
    joints = y_up(generate("walk", 3.0, 50.0, seed=1).joints)
    animation = fit(joints, 50.0)
    first, middle, last = H36M_17.indices(limb)
    one, other = joints[:, middle] - joints[:, first], joints[:, last] - joints[:, middle]
    sine = np.linalg.norm(np.cross(one, other), axis=-1)
    sine /= np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    hinge = animation.rotations[:, animation.rig.names.index(limb[1])]
    kept = hinge[sine > 0.35, axis, axis]
    assert len(kept) > 20
    assert np.degrees(np.arccos(np.clip(kept, -1, 1))).max() < 12  # of tilt of the axis of bend


def test_straight_limbs_do_not_spin():
    joints = y_up(generate("wave", 2.0, 50.0, seed=2).joints)
    rng = np.random.default_rng(0)
    for first, middle, last in (H36M_17.indices(limb) for limb in LIMBS):
        # Straight up to a millimetre of noise, so that the plane of the bend is chance.
        joints[:, middle] = (joints[:, first] + joints[:, last]) / 2 + rng.normal(
            size=(len(joints), 3)
        ) * 1e-3
    animation = fit(joints, 50.0)
    step = animation.rotations[:-1].swapaxes(-1, -2) @ animation.rotations[1:]
    angle = np.degrees(np.arccos(np.clip((np.trace(step, axis1=-2, axis2=-1) - 1) / 2, -1, 1)))
    assert angle.max() < 10


def test_gaps_are_interpolated_and_known_joints_stay():
    joints = y_up(generate("walk", 2.0, 50.0, seed=3).joints)
    broken = joints.copy()
    broken[20:26] = np.nan  # somebody hidden
    broken[40:45, H36M_17.indices(("left_elbow", "left_wrist"))] = np.nan
    broken[:10, H36M_17.index("pelvis")] = np.nan
    animation = fit(broken, 50.0)
    known = np.isfinite(broken).all(-1)
    known[:10] = False  # where the pelvis is not known, it lies between the hips
    np.testing.assert_allclose(animation.joints[known], joints[known], atol=2e-3)
    assert np.linalg.norm(animation.joints - joints, axis=-1)[10:].max() < 0.06


def test_a_joint_that_is_never_seen_stands_as_at_rest():
    joints = y_up(generate("walk", 1.0, 50.0, seed=3).joints)
    joints[:, H36M_17.indices(("left_knee", "left_ankle", "head"))] = np.nan
    animation = fit(joints, 50.0)
    found = dict(
        zip(
            [H36M_17.joints[c] for _, c in H36M_17.bones], lengths(animation.joints)[0], strict=True
        )
    )
    assert found["left_knee"] == pytest.approx(found["right_knee"])  # as the other side
    assert found["left_ankle"] == pytest.approx(found["right_ankle"])
    assert 0.08 < found["head"] < 0.16


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6),
    st.sampled_from([0.0, 1e-30, 1.0, 1e30]),
    st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    st.sampled_from([1e-3, 29.97, 1e6]),
    st.integers(0, 2**32 - 1),
)
def test_whatever_comes_in_rotations_come_out(frames, scale, absent, fps, seed):
    rng = np.random.default_rng(seed)
    joints = rng.normal(size=(frames, 17, 3)) * scale
    joints[rng.random((frames, 17)) < absent] = np.nan
    joints[:, rng.integers(17)] = joints[:, rng.integers(17)]
    animation = fit(joints, fps)
    assert np.isfinite(animation.joints).all()
    turns = animation.rotations
    np.testing.assert_allclose(np.linalg.det(turns), 1, atol=1e-6)
    np.testing.assert_allclose(
        turns @ turns.swapaxes(-1, -2), np.broadcast_to(np.eye(3), turns.shape), atol=1e-6
    )


def test_forward_kinematics_of_a_chain():
    rig = fit(np.zeros((1, 17, 3)), 50.0).rig
    turns = np.broadcast_to(np.eye(3), (2, len(rig.names), 3, 3))
    places = forward(rig, turns, np.array([[0.0, 0, 0], [1.0, 2, 3]]))
    np.testing.assert_array_equal(
        places[1] - places[0], np.broadcast_to([1.0, 2, 3], rig.offsets.shape)
    )


def test_interpolation_of_gaps():
    values = np.array([[np.nan], [1.0], [np.nan], [3.0], [np.nan]])
    np.testing.assert_array_equal(interpolate_gaps(values, np.arange(5.0))[:, 0], [1, 1, 2, 3, 3])
    uneven = interpolate_gaps(values, np.array([0, 1, 1.5, 3, 4]))
    np.testing.assert_array_equal(uneven[:, 0], [1, 1, 1.5, 3, 3])
    assert np.isnan(interpolate_gaps(np.full((3, 2), np.nan), np.arange(3.0))).all()


def test_other_skeletons_are_refused():
    with pytest.raises(UsageError, match="skeleton coco-17 has no known rest pose"):
        fit(np.zeros((2, 17, 3)), 50.0, COCO_17)

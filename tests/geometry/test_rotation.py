from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from poselift.geometry.rotation import (
    frame_of,
    from_quaternion,
    normalise_vectors,
    rotation_about,
    rotation_around,
    shortest_arc,
    to_euler_zxy,
    to_quaternion,
    unwrap_euler,
)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_equals_scipy(axis):
    angles = np.linspace(-7, 7, 12).reshape(3, 4)
    expected = Rotation.from_euler(axis, angles.reshape(-1, 1)).as_matrix().reshape(3, 4, 3, 3)
    np.testing.assert_allclose(rotation_about(axis, angles), expected, atol=1e-12)


vectors = arrays(np.float64, (4, 3), elements=st.floats(-1, 1)).map(
    lambda v: v + np.array([0, 0, 2.5])
)


@settings(deadline=None)
@given(vectors, vectors)
def test_shortest_arc_takes_one_to_the_other_on_the_shortest_way(first, second):
    first, second = normalise_vectors(first), normalise_vectors(second)
    turn = shortest_arc(first, second)
    np.testing.assert_allclose((turn @ first[..., None])[..., 0], second, atol=1e-7)
    angle = np.arccos(np.clip((first * second).sum(-1), -1, 1))
    np.testing.assert_allclose(Rotation.from_matrix(turn).magnitude(), angle, atol=1e-6)


@pytest.mark.parametrize("way", [*np.eye(3), np.array([0.6, 0.8, 0.0])])
def test_opposite_vectors_are_half_a_turn_apart(way):
    turn = shortest_arc(way, -way)
    np.testing.assert_allclose(turn @ way, -way, atol=1e-9)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(turn) == pytest.approx(1)


def test_vectors_without_length_have_no_direction():
    assert np.isnan(normalise_vectors(np.zeros((2, 3)))).all()
    assert np.isnan(frame_of(np.array([1.0, 0, 0]), np.array([2.0, 0, 0]), "xy")).any()


@pytest.mark.parametrize("axes", ["xy", "yx"])
def test_a_frame_keeps_its_first_axis_and_nears_its_second(axes):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 50, 3))
    frame = frame_of(first, second, axes)
    np.testing.assert_allclose(
        frame @ frame.swapaxes(-1, -2), np.broadcast_to(np.eye(3), (50, 3, 3)), atol=1e-9
    )
    np.testing.assert_allclose(np.linalg.det(frame), 1)
    one, other = ("xy".index(axis) for axis in axes)
    np.testing.assert_allclose(frame[..., one], normalise_vectors(first), atol=1e-12)
    assert ((frame[..., other] * second).sum(-1) > 0).all()


def test_rotations_about_any_axis_and_quaternions_equal_scipy():
    rng = np.random.default_rng(0)
    turns = Rotation.random(200, random_state=0)
    matrices = turns.as_matrix()
    quaternions = to_quaternion(matrices)
    same = np.abs((quaternions * turns.as_quat()).sum(-1))
    np.testing.assert_allclose(same, 1, atol=1e-12)
    np.testing.assert_allclose(from_quaternion(3 * quaternions), matrices, atol=1e-12)
    axis, angle = normalise_vectors(rng.normal(size=(200, 3))), rng.uniform(-9, 9, 200)
    expected = Rotation.from_rotvec(axis * angle[:, None]).as_matrix()
    np.testing.assert_allclose(rotation_around(axis, angle), expected, atol=1e-12)


@pytest.mark.parametrize("half", ["xyz", "x", "y", "z"])
def test_quaternions_of_half_turns(half):
    axis = normalise_vectors(np.array([float(letter in half) for letter in "xyz"]))
    matrix = rotation_around(axis, np.pi)
    np.testing.assert_allclose(from_quaternion(to_quaternion(matrix)), matrix, atol=1e-12)


def zxy(angles):
    turns = [rotation_about(axis, angles[..., i]) for i, axis in enumerate("zxy")]
    return turns[0] @ turns[1] @ turns[2]


def test_euler_angles_give_the_rotation_back_also_where_two_axes_fall_together():
    matrices = Rotation.random(200, random_state=1).as_matrix()
    np.testing.assert_allclose(zxy(to_euler_zxy(matrices)), matrices, atol=1e-12)
    locked = zxy(np.array([[0.3, np.pi / 2, 0.4], [-2.0, -np.pi / 2, 1.0]]))
    np.testing.assert_allclose(zxy(to_euler_zxy(locked)), locked, atol=1e-9)


def test_unwrapped_angles_do_not_jump():
    time = np.linspace(0, 1, 300)
    angles = np.stack([9 * time, 4 * np.sin(5 * time), -14 * time], axis=-1)  # through the lock
    smooth = unwrap_euler(to_euler_zxy(zxy(angles)))
    np.testing.assert_allclose(zxy(smooth), zxy(angles), atol=1e-9)
    assert np.abs(np.diff(smooth, axis=0)).max() < 1.05 * np.abs(np.diff(angles, axis=0)).max()

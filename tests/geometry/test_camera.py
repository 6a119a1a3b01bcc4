"""Laws of the camera."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.errors import UsageError
from poselift.geometry.camera import (
    Camera,
    look_at_rotation,
    project,
)
from poselift.geometry.normalise import normalise

number = st.floats(-5, 5)
point = st.tuples(number, number, number).map(np.array)


def _camera(position: np.ndarray, target: np.ndarray) -> Camera:
    return Camera.look_at(position, target, focal=(1100, 1150), width=1280, height=720)


def _apart(position: np.ndarray, target: np.ndarray) -> bool:
    return float(np.linalg.norm((position - target)[:2])) > 1e-3


@given(point, point)
def test_look_at_is_a_rotation_without_roll_that_sees_the_target_in_the_middle(position, target):
    if not _apart(position, target):
        target = position + np.array([1.0, 0.0, 0.5])
    camera = _camera(position, target)
    np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(camera.rotation) == pytest.approx(1)
    assert camera.rotation[0, 2] == 0  # x horizontal
    assert camera.rotation[1, 2] < 0  # y down
    seen = camera.world_to_camera(target)
    np.testing.assert_allclose(seen[:2], 0, atol=1e-9)
    assert seen[2] == pytest.approx(np.linalg.norm(target - position))
    np.testing.assert_allclose(camera.project(seen), (640, 360), atol=1e-5)


@given(point, st.lists(point, min_size=1, max_size=5), st.floats(0.1, 50))
def test_unproject_undoes_project_and_the_world_comes_back(position, points, nearest):
    camera = _camera(position, position + np.array([0.3, -1.0, 0.2]))
    world = np.array(points)
    seen = camera.world_to_camera(world)
    np.testing.assert_allclose(camera.camera_to_world(seen), world, atol=1e-12)
    seen[:, 2] = np.abs(seen[:, 2]) + nearest
    back = camera.unproject(camera.project(seen), seen[:, 2])
    np.testing.assert_allclose(back, seen, atol=1e-9)


def test_right_is_right_and_down_is_down():
    camera = _camera(np.array([0.0, -4, 1]), np.array([0.0, 0, 1]))  # looks along y
    middle, right, up = camera.world_to_camera(
        np.array([[0.0, 0, 1], [1.0, 0, 1], [0.0, 0, 2]], dtype=float)
    )
    assert middle.tolist() == [0, 0, 4]
    assert right.tolist() == [1, 0, 4]
    assert up.tolist() == [0, -1, 4]
    assert camera.project(up).tolist() == [640, 360 - 1150 / 4]


def test_points_behind_the_camera_have_no_pixels():
    pixels = project(np.array([[1.0, 1, 0], [1.0, 1, -2], [1.0, 1, 2]]), 100, (50, 50))
    assert np.isnan(pixels[:2]).all()
    assert pixels[2].tolist() == [100, 100]


def test_many_rotations_at_once_equal_one_by_one():
    rng = np.random.default_rng(0)
    positions, target = rng.normal(size=(4, 5, 3)), np.array([9.0, 1, 0])
    many = look_at_rotation(positions, target)
    assert many.shape == (4, 5, 3, 3)
    np.testing.assert_array_equal(many[2, 3], look_at_rotation(positions[2, 3], target))


def test_screen_coordinates_of_the_corners():
    corners = np.array([[0, 0], [720, 1280], [360, 640]], dtype=np.float32)
    screen = normalise(corners[None, None], (720, 1280), "screen")[0, 0]
    np.testing.assert_allclose(screen, [[-1, -16 / 9], [1, 16 / 9], [0, 0]], atol=1e-6)
    assert screen.dtype == np.float32


@pytest.mark.parametrize(
    "change",
    [
        {"rotation": np.diag([1.0, 1, -1])},
        {"rotation": 2 * np.eye(3)},
        {"rotation": np.eye(2)},
        {"position": (0, np.nan, 0)},
        {"focal": 0.0},
        {"centre": (1, 2, 3)},
        {"width": 0},
    ],
)
def test_impossible_cameras_are_refused(change):
    good = {
        "rotation": np.eye(3),
        "position": np.zeros(3),
        "focal": 1.0,
        "centre": (1, 1),
        "width": 2,
        "height": 2,
    }
    assert Camera(**good).focal.tolist() == [1, 1]
    with pytest.raises(UsageError):
        Camera(**(good | change))


def test_looking_straight_down_has_no_roll():
    with pytest.raises(UsageError, match="straight"):
        look_at_rotation((0, 0, 3), (0, 0, 0))

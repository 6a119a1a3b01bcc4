from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from poselift.geometry.camera import Camera
from poselift.geometry.mirror import mirror_joints, mirror_keypoints
from poselift.skeleton import H36M_17


@given(st.integers(0, 2**32 - 1), st.integers(1, 4000))
def test_mirroring_twice_changes_nothing(seed, width):
    rng = np.random.default_rng(seed)
    pixels, joints = rng.uniform(0, width, (2, 5, 17, 2)), rng.normal(size=(2, 5, 17, 3))
    before = pixels.copy()
    np.testing.assert_allclose(
        mirror_keypoints(mirror_keypoints(pixels, width), width), pixels, atol=1e-9
    )
    np.testing.assert_array_equal(pixels, before)  # not in place
    np.testing.assert_array_equal(mirror_joints(mirror_joints(joints)), joints)


def test_left_becomes_right():
    left, right = H36M_17.index("left_wrist"), H36M_17.index("right_wrist")
    pixels, joints = np.zeros((17, 2)), np.zeros((17, 3))
    pixels[left], joints[left] = (100, 30), (0.5, 0.1, 2)
    assert mirror_keypoints(pixels, 640)[right].tolist() == [540, 30]
    assert mirror_joints(joints)[right].tolist() == [-0.5, 0.1, 2]


def test_a_mirrored_pose_is_seen_as_the_mirrored_picture():
    camera = Camera(np.eye(3), np.zeros(3), 900.0, (320, 200), 640, 480)
    joints = np.random.default_rng(0).normal(loc=(0, 0, 5), size=(17, 3))
    np.testing.assert_allclose(
        camera.project(mirror_joints(joints)), mirror_keypoints(camera.project(joints), 640)
    )

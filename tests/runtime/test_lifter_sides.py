"""Lifters put left and right back where they can look ahead, and say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from poselift.data.procedural import generate
from poselift.evaluation.mocap import project_views
from poselift.poses import Pose2D
from poselift.runtime.lifter import Lifter
from poselift.skeleton import H36M_17

Make = Callable[..., tuple[Path, Any]]


def walk() -> tuple[Pose2D, Pose2D]:
    """Somebody who walks, and the same with left and right exchanged in frames 20 to 29."""
    pixels = project_views(generate("walk", 2.0, 30.0, 3))[0]
    right = Pose2D(pixels, fps=30.0, image_size=(1000, 1000))
    wrong = right.keypoints.copy()
    wrong[:, 20:30] = wrong[:, 20:30][:, :, list(H36M_17.mirror_indices)]
    return right, replace(right, keypoints=wrong)


def test_sides_are_put_back_unless_told_otherwise(oracle: Make) -> None:
    folder, _ = oracle()
    right, wrong = walk()
    lifter = Lifter(folder)
    lifted = lifter.lift(wrong)
    np.testing.assert_array_equal(lifted.keypoints, right.keypoints)
    np.testing.assert_array_equal(lifted.joints, lifter.lift(right).joints)
    assert lifted.meta["gaps"]["sides_put_back_frames"] == [10]
    assert lifted.meta["gaps"]["summary"] == "no gaps; left and right put back in 10 frames"
    assert lifter.lift(right).meta["gaps"]["summary"] == "no gaps"
    kept = lifter.lift(wrong, repair=False)
    np.testing.assert_array_equal(kept.keypoints, wrong.keypoints)
    assert kept.meta["gaps"]["sides_put_back_frames"] is None


def test_networks_for_the_newest_frame_do_not_look_ahead(oracle: Make) -> None:
    folder, _ = oracle(target="newest")
    _, wrong = walk()
    lifted = Lifter(folder).lift(wrong)
    np.testing.assert_array_equal(lifted.keypoints, wrong.keypoints)
    assert lifted.meta["gaps"]["sides_put_back_frames"] is None

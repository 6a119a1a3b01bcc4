from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from poselift.errors import DataError
from poselift.motion.written import person_paths, seen_persons
from poselift.poses import Pose3D


def pose(*seen: bool) -> Pose3D:
    joints = np.zeros((len(seen), 2, 17, 3))
    joints[~np.array(seen)] = np.nan
    return Pose3D(joints, track_ids=np.arange(len(seen)) * 3 - 3)


def test_one_person_gets_the_name_and_several_get_their_number() -> None:
    assert person_paths(pose(True), "out/a.b.bvh") == {0: Path("out/a.b.bvh")}
    assert person_paths(pose(True, False, True), "out/a.b.bvh") == {
        0: Path("out/a.b_-3.bvh"),
        2: Path("out/a.b_3.bvh"),
    }
    assert seen_persons(pose(False, True), "a") == [1]


def test_nobody_is_a_data_error() -> None:
    with pytest.raises(DataError, match=r"a\.bvh: no joint in any frame; expected somebody"):
        person_paths(pose(False, False), "a.bvh")

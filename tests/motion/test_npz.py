from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from motion_examples import example

from poselift.errors import DataError
from poselift.motion import npz
from poselift.skeleton import H36M_17


def test_the_arrays_are_those_of_the_contract(tmp_path: Path) -> None:
    pose = example(persons=2, frames=5)
    npz.write(pose, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        arrays = dict(file)
    shapes = {key: (value.shape, value.dtype.kind) for key, value in arrays.items()}
    assert shapes == {
        "joints": ((2, 5, 17, 3), "f"),
        "root": ((2, 5, 3), "f"),
        "keypoints": ((2, 5, 17, 2), "f"),
        "scores": ((2, 5, 17), "f"),
        "track_ids": ((2,), "i"),
        "times": ((5,), "f"),
        "fps": ((), "f"),
        "joint_names": ((17,), "U"),
        "parents": ((17,), "i"),
        "meta": ((), "U"),
    }
    assert arrays["joints"].dtype == np.float32
    assert tuple(arrays["joint_names"]) == H36M_17.joints
    assert tuple(arrays["parents"]) == H36M_17.parent_indices
    assert json.loads(str(arrays["meta"]))["units"] == "metres"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints": None}, "has no joints but"),
        ({"joints": np.zeros((2, 5, 16, 3))}, r"3D joints of shape \(2, 5, 16, 3\)"),
        ({"joints": np.zeros((2, 5, 17, 3), complex)}, "joints of type complex128"),
        ({"joints": np.full((2, 5, 17, 3), 1e300)}, "infinite"),
        ({"root": np.full((2, 5, 3), np.inf)}, "infinite numbers in root"),
        ({"scores": np.zeros((2, 5, 17)).astype(str)}, "scores of type"),
        ({"track_ids": np.array([0.5, 1.5])}, "track_ids of type float64"),
        ({"track_ids": np.array([1, 1])}, r"track ids \[1, 1\]"),
        ({"times": np.zeros(5)}, "times that do not increase"),
        ({"fps": np.array([50.0, 50.0])}, "not a motion file"),
        ({"fps": np.array(-1.0)}, "fps of -1.0"),
        ({"parents": np.arange(3)}, "parents .* for 17 joints"),
        ({"parents": np.full(17, 17)}, "one index for each, or -1"),
        ({"joint_names": np.array(["pelvis"] * 17)}, "a joint name occurs twice"),
        ({"joint_names": np.array("pelvis")}, "not a motion file"),
        ({"meta": np.array("{")}, "not a motion file"),
        ({"meta": np.array("[]")}, "meta is list"),
        ({"meta": np.array("[" * 100_000)}, "not a motion file"),
        ({"meta": {"units": "millimetres"}}, 'has units "millimetres"; expected "metres"'),
        ({"meta": {"frame": "world"}}, 'has frame "world"'),
        ({"meta": {"format": "poselift-motion-2"}}, "poselift-motion-2"),
        ({"meta": {"joints_relative_to": "tail"}}, "relative to 'tail'"),
    ],
)
def test_files_that_are_not_as_they_should_be(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.npz"
    npz.write(example(persons=2, frames=5), path)
    with np.load(path) as file:
        arrays = dict(file)
    for key, value in change.items():
        if value is None:
            del arrays[key]
        elif isinstance(value, dict):
            arrays[key] = np.array(json.dumps(json.loads(str(arrays[key])) | value))
        else:
            arrays[key] = value
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=message) as error:
        npz.read(path)
    assert "a.npz" in str(error.value)


def test_a_keypoint_file_is_pointed_to_lift(tmp_path: Path) -> None:
    np.savez(tmp_path / "k.npz", keypoints=np.zeros((5, 17, 2)), fps=25.0, layout="coco-17")
    with pytest.raises(DataError, match="must be lifted first: poselift lift"):
        npz.read(tmp_path / "k.npz")

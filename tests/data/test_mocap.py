from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from poselift.data.mocap import JOINT_NAMES, Motion, read_motions
from poselift.errors import DataError
from poselift.skeleton import H36M_17


def _file() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "pos": rng.integers(-900, 900, size=(10, 17, 3)).astype(np.int16),
        "start": np.array([0, 4], np.int32),
        "length": np.array([4, 6], np.int32),
        "name": np.array(["01_01", "02_01.1"]),
        "subject": np.array(["01", "02"]),
        "trial": np.array(["01", "01"]),
        "skeleton": np.array(["subject", "generic-A"]),
        "description": np.array(["walk", "run, jump"]),
        "fps": np.array(50),
        "joint_names": np.array(JOINT_NAMES),
        "parents": np.array(H36M_17.parent_indices),
    }


def test_sequences_come_out_in_metres(tmp_path: Path):
    arrays = _file()
    np.savez(tmp_path / "a.npz", **arrays)
    first, second = read_motions(tmp_path / "a.npz")
    assert (first.name, first.subject, first.skeleton) == ("01_01", "01", "subject")
    assert (second.name, second.description, second.fps) == ("02_01.1", "run, jump", 50.0)
    assert second.joints.dtype == np.float32
    assert second.num_frames == 6
    np.testing.assert_allclose(second.joints * 1000, arrays["pos"][4:], rtol=1e-6)
    assert read_motions(str(tmp_path / "a.npz"))[0].num_frames == 4


def _without(key):
    return lambda a: a.pop(key)


def _put(key, value):
    return lambda a: a.update({key: np.array(value)})


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_without("pos"), "pos"),
        (_without("parents"), "parents"),
        (_without("skeleton"), "skeleton"),
        (lambda a: a.update(pos=a["pos"][:, :16]), "shape"),
        (lambda a: a.update(pos=a["pos"].astype("U4")), "pos"),
        (lambda a: a.update(pos=np.full((10, 17, 3), np.nan)), "finite"),
        (lambda a: a.update(name=np.array([{}, {}], dtype=object)), "read"),
        (lambda a: a.update(name=a["name"][:1]), "name"),
        (_put("start", [0, 5]), "frames 5 to 11"),
        (_put("start", [-1, 4]), "frames -1"),
        (_put("start", [0.0, 4.0]), "start"),
        (_put("length", [4, 0]), "frames 4 to 4"),
        (_put("length", [4]), "length"),
        (_put("start", np.zeros(0, int)), "no sequence"),
        (_put("fps", 0), "fps"),
        (_put("fps", np.nan), "fps"),
        (_put("fps", "fast"), "fps"),
        (_put("fps", [50, 50]), "fps"),
        (lambda a: a.update(joint_names=a["joint_names"][::-1]), "joints"),
        (_put("parents", np.zeros(17, int)), "parents"),
    ],
)
def test_wrong_contents_are_named_in_one_line(tmp_path: Path, damage, words):
    arrays = _file()
    damage(arrays)
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=words) as caught:
        read_motions(tmp_path / "a.npz")
    assert "\n" not in str(caught.value)


def test_what_is_no_such_file(tmp_path: Path):
    np.savez(tmp_path / "a.npz", **_file())
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "hole.npz").write_bytes(whole[:2000] + b"\xff" * 200 + whole[2200:])
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.npz").write_text("hello")
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name in ("cut.npz", "hole.npz", "empty.npz", "text.npz", "array.npy", "absent.npz", "."):
        with pytest.raises(DataError):
            read_motions(tmp_path / name)


@pytest.mark.parametrize("joints", [np.zeros((0, 17, 3)), np.zeros((17, 3)), np.zeros((2, 16, 3))])
def test_a_motion_has_frames_of_17_joints(joints):
    with pytest.raises(DataError, match="shape"):
        Motion("a", "b", "c", "d", joints, 50)


@pytest.mark.parametrize("split", ["val", "test"])
def test_the_open_data_is_what_its_index_says(shared: Path, split: str):
    folder = shared / "data" / "cmu-mocap"
    motions = read_motions(folder / f"motions_{split}.npz")
    with (folder / "index.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    assert [m.name for m in motions] == [row["name"] for row in rows]
    assert [m.num_frames for m in motions] == [int(row["frames"]) for row in rows]
    assert [m.skeleton for m in motions] == [row["skeleton"] for row in rows]
    for motion in motions:
        assert motion.fps == 50
        head = motion.joints[:, H36M_17.index("head"), 2]
        assert 1.2 < np.median(head) < 1.8  # z is up, in metres

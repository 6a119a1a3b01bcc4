"""The check of data sets' files: whole files pass, every kind of damage is named."""

from __future__ import annotations

import copy
import pickle
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_files import h36m_motions, motion, npz_content, write_all, write_npz
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import write_motion_capture

from poselift.data import h36m, motionbert, mpi_inf_3dhp
from poselift.data.check import check
from poselift.data.findings import Findings
from poselift.data.h36m_cameras import cameras
from poselift.errors import DataError

FILES = (
    h36m.FILE_3D,
    h36m.keypoints_file("gt"),
    motionbert.FILE,
    mpi_inf_3dhp.TRAIN_FILE,
    mpi_inf_3dhp.TEST_FILE,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sets")
    write_all(path)
    return path


def content(path: Path) -> dict[str, Any]:
    """What a file holds, to be changed."""
    if path.suffix == ".pkl":
        return pickle.loads(path.read_bytes())
    with np.load(path, allow_pickle=True) as arrays:
        return {key: arrays[key].item() for key in arrays.files}


def write(path: Path, data: dict[str, Any]) -> None:
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(data, protocol=4))
    else:
        write_npz(path, **data)


@pytest.mark.parametrize("name", FILES)
def test_whole_files_have_no_problems(folder, name):
    found = check(folder / name)
    assert found.problems == []
    assert found.facts
    assert any("frames" in fact for fact in found.facts)


def test_motion_capture(tmp_path):
    write_motion_capture(tmp_path / "m.npz", [motion(0), motion(1)])
    found = check(tmp_path / "m.npz")
    assert (found.problems, found.notes) == ([], [])
    twice = motion(0)
    twice.joints[:] /= 10
    write_motion_capture(tmp_path / "m.npz", [twice, motion(0)])
    problems = check(tmp_path / "m.npz").problems
    assert "thighs of" in problems[0]
    assert "same name" in problems[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p / 1000, r"thighs of 0\.\d+; expected .* in mm .these are m."),
        (lambda p: p - p[:, :1], "the pelvis lies at the origin"),
        (lambda p: p - p[:, :1] + np.array([0, 0, 900]), "the pelvis stands still"),
        (lambda p: p - np.array([0, 0, 3000]), r"the person is \d\.\d m under the floor"),
        (lambda p: p + np.array([0, 0, 4000]), r"the person is \d\.\d m above the floor"),
        (lambda p: _laid(p), "the head is not above the feet in 2 of 2 sequences"),
    ],
)
def test_motion_capture_elsewhere(tmp_path, change, message):
    path = tmp_path / "m.npz"
    write_motion_capture(path, [motion(0), motion(1)])
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    np.savez(path, **{**arrays, "pos": change(arrays["pos"].astype(np.float32))})
    problems = check(path).problems
    assert problems
    assert all(re.search(message, problem) for problem in problems), problems


def test_real_motion_capture(shared):
    for part in ("mini", "val", "test"):
        assert check(shared / "data" / "cmu-mocap" / f"motions_{part}.npz").problems == []


def _scale(unit: float):
    def change(data: dict[str, Any]) -> None:
        actions = data["positions_3d"]["S9"]
        actions["Eating"] = actions["Eating"] * unit

    return change


def _shifted(*by: float):
    def change(data: dict[str, Any]) -> None:
        actions = data["positions_3d"]["S9"]
        actions["Eating"] = actions["Eating"] + np.float32(by)

    return change


def _in_camera(number: int):
    def change(data: dict[str, Any]) -> None:
        actions = data["positions_3d"]["S9"]
        camera = cameras("S9")[number]
        actions["Eating"] = h36m.in_camera(camera, actions["Eating"]).astype(np.float32)

    return change


def _from_pelvis(data: dict[str, Any]) -> None:
    data["positions_3d"]["S9"]["Eating"] -= data["positions_3d"]["S9"]["Eating"][..., :1, :]


def _on_a_point(data: dict[str, Any]) -> None:
    _from_pelvis(data)
    data["positions_3d"]["S9"]["Eating"] += np.float32([0, 0, 0.9])


def _laid(joints: np.ndarray) -> np.ndarray:
    """World joints turned about x: y is up."""
    return joints[..., [0, 2, 1]] * np.float32([1, 1, -1])


def _lying(data: dict[str, Any], subject: str = "S9", name: str = "Eating") -> None:
    actions = data["positions_3d"][subject]
    actions[name] = _laid(actions[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_scale(1000), "S9/Eating: thighs of .* in m .these are mm."),
        (_scale(3), "S9/Eating: thighs of"),
        (_shifted(0, 20, 0), "S9/Eating: .* in front of a camera; expected joints in the world"),
        (_shifted(0, 0, -0.9), "S9/Eating: the person is 0.[89] m under the floor"),
        *((_in_camera(n), r"Eating: the person is [2-9]\.\d m above the floor") for n in range(4)),
        (_from_pelvis, "S9/Eating: the pelvis lies at the origin; .* not relative to the pelvis"),
        (_on_a_point, "S9/Eating: the pelvis stands still in all frames; expected"),
        (lambda d: d["positions_3d"].clear(), "no sequence in it; expected such as S9/Walking"),
        (lambda d: [s.clear() for s in d["positions_3d"].values()], "no sequence in it"),
        (lambda d: d["positions_3d"]["S9"].update(Eating=np.zeros((0, 32, 3))), "without a frame"),
        (lambda d: d["positions_3d"]["S9"].update(Eating=np.zeros((4, 20, 3))), "of shape"),
        (lambda d: d["positions_3d"]["S9"]["Eating"][3].fill(np.nan), "in 1 frames, first 3"),
        (lambda d: d["positions_3d"]["S9"].update(Juggling=np.zeros((4, 32, 3))), "unknown action"),
        (lambda d: d["positions_3d"]["S9"].update(Eating="text"), "not plain numbers"),
    ],
)
def test_human36m_3d(folder, tmp_path, change, message):
    data = content(folder / h36m.FILE_3D)
    change(data)
    write(tmp_path / h36m.FILE_3D, data)
    problems = check(tmp_path / h36m.FILE_3D).problems
    assert len(problems) >= 1
    assert any(re.search(message, problem) for problem in problems), problems


def test_human36m_notes(folder, tmp_path):
    data = content(folder / h36m.FILE_3D)
    _lying(data)
    data["positions_3d"]["S11"]["Directions"] = data["positions_3d"]["S11"]["Eating"]
    data["positions_3d"]["S4"] = {}
    del data["positions_3d"]["S1"]
    write(tmp_path / h36m.FILE_3D, data)
    found = check(tmp_path / h36m.FILE_3D)
    notes = "\n".join(found.notes)
    assert found.problems == []
    assert "S9/Eating: the head is not above the feet" in notes
    assert "S11/Directions is a broken recording" in notes
    assert "without 3D joints and cameras: S4" in notes
    assert "no subject S1" in notes


def test_most_sequences_do_not_lie(folder, tmp_path):
    """One that does is a note, two of a subject's three, or most of all subjects', a problem."""
    data = content(folder / h36m.FILE_3D)
    _lying(data)
    _lying(data, "S9", "Walking")
    write(tmp_path / h36m.FILE_3D, data)
    found = check(tmp_path / h36m.FILE_3D)
    assert len(found.problems) == 1
    assert re.search("S9/.*, S9/Eating: the head .* in 2 of 3 sequences", found.problems[0])
    assert not any("the head" in note for note in found.notes)

    data = content(folder / h36m.FILE_3D)
    for subject in h36m.TRAIN:  # one sequence each
        _lying(data, subject, "Walking")
    write(tmp_path / h36m.FILE_3D, data)
    assert check(tmp_path / h36m.FILE_3D).problems == []
    _lying(data)
    write(tmp_path / h36m.FILE_3D, data)
    assert "in 6 of 11 sequences; expected" in check(tmp_path / h36m.FILE_3D).problems[0]


def test_a_single_sequence_may_lie(tmp_path):
    h36m.write(tmp_path, {("S9", "Eating"): motion(0)})
    data = content(tmp_path / h36m.FILE_3D)
    _lying(data)
    write(tmp_path / h36m.FILE_3D, data)
    found = check(tmp_path / h36m.FILE_3D)
    assert found.problems == []
    assert any("the head is not above the feet" in note for note in found.notes)


def _views(data: dict[str, Any]) -> list[np.ndarray]:
    return data["positions_2d"]["S9"]["Eating"]


def _swap(data: dict[str, Any]) -> None:
    views = _views(data)
    views[0], views[3] = views[3], views[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_swap, "order 60457274, 55011271, 58860488, 54138969; expected 54138969"),
        (lambda d: _views(d).pop(), "S9/Eating: 3 cameras; expected 4"),
        (
            lambda d: _views(d).__setitem__(1, _views(d)[1] / 500 - 1),
            "camera 55011271: .* these are normalised",
        ),
        (lambda d: _views(d).__setitem__(1, _views(d)[1] + 5000), "outside the image"),
        (lambda d: _views(d).__setitem__(1, _views(d)[1] + 200), "px from the projected"),
        (lambda d: _views(d).__setitem__(2, _views(d)[2][:4]), "of 4 frames; expected"),
        (lambda d: d["positions_2d"]["S9"].pop("Eating"), "S9: no detections of Eating"),
        (lambda d: d["positions_2d"].clear(), "no sequence in it"),
        (lambda d: d["positions_2d"].pop("S11"), "S11: no detections of Walking, Walking 1, E"),
        (lambda d: d["metadata"].update(num_joints=16), "layout h36m of 16 joints"),
        (
            lambda d: d["metadata"].update(
                keypoints_symmetry=d["metadata"]["keypoints_symmetry"][::-1]
            ),
            "keypoints_symmetry",
        ),
        (lambda d: _views(d)[0][2].fill(np.nan), "no number in 1 frames, first 2"),
    ],
)
def test_human36m_2d(folder, tmp_path, change, message):
    name = h36m.keypoints_file("gt")
    data = content(folder / name)
    change(data)
    write(tmp_path / name, data)
    (tmp_path / h36m.FILE_3D).symlink_to(folder / h36m.FILE_3D)
    problems = check(tmp_path / name).problems
    assert any(re.search(message, problem) for problem in problems), problems


def test_detections_alone_are_not_compared(folder, tmp_path):
    name = h36m.keypoints_file("gt")
    data = content(folder / name)
    _swap(data)
    write(tmp_path / name, data)
    found = check(tmp_path / name)
    assert found.problems == []
    assert any("are not compared" in note for note in found.notes)


def test_a_detector_is_told_from_a_wrong_camera(tmp_path):
    motions = h36m_motions()
    h36m.write(tmp_path, motions, "cpn_ft_h36m_dbb", error=8.0)
    found = check(tmp_path / h36m.keypoints_file("cpn_ft_h36m_dbb"))
    assert found.problems == []
    assert any("px from the projected" in fact for fact in found.facts)


def _clip(data: dict[str, Any]) -> dict[str, Any]:
    return data["data"]["TS2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: _clip(d).update(data_3d=_clip(d)["data_3d"] / 1000), "these are m"),
        (
            lambda d: _clip(d).update(data_3d=_clip(d)["data_3d"] - _clip(d)["data_3d"][:, 14:15]),
            "TS2: the pelvis is 0 mm in front of the camera",
        ),
        (lambda d: _clip(d).update(data_2d=_clip(d)["data_2d"] / 1024 - 1), "normalised"),
        (lambda d: _clip(d).update(data_2d=_clip(d)["data_2d"][::-1]), "no camera projects"),
        (lambda d: _clip(d).update(data_2d=_clip(d)["data_2d"][:-1]), "frames in 2D"),
        (lambda d: _clip(d).pop("valid"), "TS2: no 'valid'"),
        (lambda d: _clip(d)["valid"].fill(0), "TS2: no frame is 'valid'; expected"),
        (lambda d: d["data"].clear(), "no sequence in it; expected such as S1 Seq1 or TS1"),
        (lambda d: _clip(d)["valid"].fill(2), "other numbers than 0 and 1"),
        (lambda d: d["data"].pop("TS3"), "no sequence TS3"),
        (lambda d: d["data"].update(TS9=_clip(d)), "unknown sequences TS9"),
        (lambda d: d["data"].update(TS2={}), "TS2: expected data_2d"),
    ],
)
def test_mpi_inf_3dhp_test(folder, tmp_path, change, message):
    data = content(folder / mpi_inf_3dhp.TEST_FILE)
    long = motion(0, 3.0, 25.0)  # a walk: reversing it is another motion
    mpi_inf_3dhp.write_test(tmp_path / "long.npz", {"TS1": long, "TS2": long})
    data["data"]["TS2"] = npz_content(tmp_path / "long.npz", "data")["TS2"]
    change(data)
    write(tmp_path / "x.npz", data)
    problems = check(tmp_path / "x.npz").problems
    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["S1 Seq1"].__setitem__(1, 30), "30 frames per second; expected 25 or 50"),
        (lambda d: d["S1 Seq1"][0].pop("4"), "S1 Seq1: no cameras 4"),
        (lambda d: d.update({"S1 Seq1": 3}), "no pair of cameras and frame rate"),
        (lambda d: d.update({"S9 Seq1": d["S1 Seq1"]}), "unknown sequences S9 Seq1"),
        (
            lambda d: d["S1 Seq1"][0]["0"].update(
                {key: value[:5] for key, value in d["S1 Seq1"][0]["0"].items()}
            ),
            "S1 Seq1: cameras with [5, 10] frames",
        ),
    ],
)
def test_mpi_inf_3dhp_training(folder, tmp_path, change, message):
    data = content(folder / mpi_inf_3dhp.TRAIN_FILE)
    change(data["data"])
    write(tmp_path / "x.npz", data)
    problems = check(tmp_path / "x.npz").problems
    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.update({"joints_2.5d_image": t["joints_2.5d_image"] / 1000}), "these are m"),
        (lambda t: t.update({"2.5d_factor": t["2.5d_factor"] * 2}), "expected the same pose"),
        (lambda t: t.update({"2.5d_factor": -t["2.5d_factor"]}), "not positive"),
        (lambda t: t.update(joint3d_image=t["joint3d_image"] * 2), "px from joint_2d"),
        (lambda t: t.update(joint_2d=t["joint_2d"] / 500 - 1), "normalised"),
        (lambda t: t.pop("source"), "lacks source"),
        (lambda t: t["camera_name"].__setitem__(0, "5"), "cameras 5; expected 54138969"),
        (lambda t: t["source"].__setitem__(4, t["source"][-1]), "do not follow each other"),
        (lambda t: t["source"].__setitem__(0, "walk"), "sources walk"),
        (lambda t: t["source"].__setitem__(0, "s_01_act_05_subact_02_ca_01"), "subjects S1;"),
        (lambda t: t["confidence"].fill(np.nan), "confidence that are no number"),
        (lambda t: t.update(confidence=t["confidence"] * 100), "to 100; expected 0 to 1"),
        (lambda t: t["action"].pop(), "keys of lengths"),
        (lambda t: t.update({key: [] for key in t}), "expected one length, at least 1"),
    ],
)
def test_motionbert(folder, tmp_path, change, message):
    data = content(folder / motionbert.FILE)
    change(data["test"])
    write(tmp_path / "x.pkl", data)
    problems = check(tmp_path / "x.pkl").problems
    assert any(message in problem for problem in problems), problems


def test_one_part_of_motionberts_file(folder, tmp_path):
    data = content(folder / motionbert.FILE)
    del data["train"]
    data["test"]["action"] = ["Juggling"] * len(data["test"]["action"])
    write(tmp_path / "x.pkl", data)
    found = check(tmp_path / "x.pkl")
    assert found.problems == ["x.pkl: no part 'train' in it; expected the layout of MotionBERT"]
    assert "test: actions Juggling" in found.notes


def test_other_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        check(tmp_path / "x.npz")
    with pytest.raises(DataError, match="is a folder"):
        check(tmp_path)
    np.savez(tmp_path / "x.npz", keypoints=np.zeros(3))
    with pytest.raises(DataError, match=r"holds keypoints; expected data_3d_h36m\.npz"):
        check(tmp_path / "x.npz")
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(DataError, match="damaged archive"):
        check(tmp_path / "x.npz")


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested dictionaries and lists."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:5])
    out = []
    for key, inside in items:
        out.append((*path, key))
        if isinstance(inside, dict | list):
            out += _places(inside, (*path, key))
    return out


JUNK = (None, 3, -1.5, "text", b"", [], {}, [[1], [1, 2]], {1: 2}, {"0": None}, (), True)
ARRAYS = (
    np.zeros(0),
    np.array(5.0),
    np.zeros((2, 17, 3)),
    np.full((10, 17, 2), np.inf),
    np.array(["a"]),
    np.array([None, 1], dtype=object),
    np.zeros((3, 32, 3), dtype=np.int16),
)


def _with_junk(folder: Path, data: st.DataObject) -> tuple[str, dict[str, Any]]:
    """One of the files, and its content with something else in one place."""
    name = data.draw(st.sampled_from(FILES))
    whole = copy.deepcopy(content(folder / name))
    place = data.draw(st.sampled_from(_places(whole)))
    inside: Any = whole
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = data.draw(st.sampled_from([*JUNK, *ARRAYS]))
    return name, whole


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_content_gets_through_the_check_as_a_crash(folder, tmp_path_factory, data):
    name, junk = _with_junk(folder, data)
    path = tmp_path_factory.mktemp("junk") / name
    write(path, junk)
    with suppress(DataError):
        assert isinstance(check(path), Findings)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_content_gets_through_the_readers_as_a_crash(folder, tmp_path_factory, data):
    name, junk = _with_junk(folder, data)
    target = tmp_path_factory.mktemp("junk")
    for other in FILES:
        if other != name:
            (target / other).symlink_to(folder / other)
    write(target / name, junk)
    readers = {
        FILES[0]: lambda: h36m.read(target),
        FILES[1]: lambda: h36m.read(target),
        FILES[2]: lambda: [motionbert.read(target / name, part) for part in ("train", "test")],
        FILES[3]: lambda: mpi_inf_3dhp.read_train(target / name),
        FILES[4]: lambda: mpi_inf_3dhp.read_test(target / name),
    }
    with suppress(DataError):
        readers[name]()

"""C3D, written through ezc3d and read by it and by our own reader."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import ezc3d
import numpy as np
import pytest
from motion_examples import moving, y_up

from poselift.errors import DataError, MissingExtraError
from poselift.motion import c3d
from poselift.poses import Pose3D
from poselift.skeleton import H36M_17, Skeleton


def test_ezc3d_reads_it(tmp_path: Path) -> None:
    pose = moving("walk", "wave", fps=29.97)
    pose.joints[0, 3:5, 2] = np.nan
    written = c3d.write(pose, tmp_path / "zwei Läufer.c3d")
    for person, path in enumerate(written.paths):
        content = ezc3d.c3d(str(path))
        point = content["parameters"]["POINT"]
        assert tuple(point["LABELS"]["value"]) == H36M_17.joints
        assert point["UNITS"]["value"] == ["mm"]
        assert (point["X_SCREEN"]["value"], point["Y_SCREEN"]["value"]) == (["+X"], ["+Y"])
        assert point["RATE"]["value"][0] == pytest.approx(29.97)
        found = np.moveaxis(content["data"]["points"][:3], 0, -1).swapaxes(0, 1) / 1000
        np.testing.assert_allclose(found, y_up(pose)[person], atol=1e-6)
        residuals = content["data"]["meta_points"]["residuals"][0].T
        np.testing.assert_array_equal(residuals, -1.0 * np.isnan(pose.joints[person, ..., 0]))
        np.testing.assert_allclose(c3d.read(path).absolute[0], pose.absolute[person], atol=1e-6)


@pytest.mark.parametrize(
    ("axes", "order", "signs"),
    [
        (("+X", "+Z"), [0, 2, 1], [1, 1, -1]),  # the habit: z up, y away from who looks
        (("+Y", "+Z"), [1, 2, 0], [1, 1, 1]),
        (("-X", "Y"), [0, 1, 2], [-1, 1, -1]),
        (None, [0, 2, 1], [1, 1, -1]),
    ],
)
def test_files_of_other_programs(
    axes: tuple[str, str] | None, order: list[int], signs: list[int], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    points = np.ones((4, 300, 7))
    points[:3] = rng.normal(size=(3, 300, 7))
    content = ezc3d.c3d()
    names = [f"Marker {i}" for i in range(300)]  # more than one parameter holds
    content["parameters"]["POINT"]["LABELS"]["value"] = names
    content["parameters"]["POINT"]["RATE"]["value"] = [120]
    content["parameters"]["POINT"]["UNITS"]["value"] = ["m"]
    content["parameters"]["ANALOG"]["LABELS"]["value"] = ["force"]
    content["parameters"]["ANALOG"]["RATE"]["value"] = [240]
    content["data"]["points"] = points
    content["data"]["analogs"] = rng.normal(size=(1, 1, 14))
    if axes:
        content.add_parameter("POINT", "X_SCREEN", [axes[0]])
        content.add_parameter("POINT", "Y_SCREEN", [axes[1]])
    content.write(str(tmp_path / "a.c3d"))
    pose = c3d.read(tmp_path / "a.c3d")
    assert (list(pose.skeleton.joints), pose.fps, pose.skeleton.root) == (names, 120, None)
    expected = np.moveaxis(points[:3], 0, -1).swapaxes(0, 1)[..., order] * signs
    np.testing.assert_allclose(y_up(pose)[0], expected, atol=1e-6)


def test_numbers_of_two_bytes(tmp_path: Path) -> None:
    """The older form of the format: whole numbers times a scale."""
    path = tmp_path / "a.c3d"
    c3d.write(Pose3D(np.zeros((1, 2, 1, 3)), skeleton=Skeleton("one", ("a",), {})), path)
    raw = bytearray(path.read_bytes())
    start = 512 * (struct.unpack_from("<H", raw, 16)[0] - 1)
    raw[12:16] = struct.pack("<f", 0.5)
    values = [2000, 4000, -6000, 0, 1, 2, 3, -1]  # the second frame has no point
    raw[start : start + 16] = struct.pack("<8h", *values)
    path.write_bytes(raw)
    expected = [[[1, 2, -3]], [[np.nan] * 3]]
    np.testing.assert_allclose(y_up(c3d.read(path))[0], expected, atol=1e-6)


def test_long_clips(tmp_path: Path) -> None:
    skeleton = Skeleton("one", ("a",), {})
    joints = np.random.default_rng(0).normal(size=(1, 65535, 1, 3))
    longest = Pose3D(joints, np.zeros((1, 65535, 3)), skeleton=skeleton)
    back = c3d.read(c3d.write(longest, tmp_path / "a.c3d").paths[0])
    np.testing.assert_allclose(back.absolute, joints, atol=1e-5)
    pose = Pose3D(np.zeros((1, 65536, 1, 3)), skeleton=skeleton)
    with pytest.raises(DataError, match=r"65536 frames; expected at most 65535 .* write trc"):
        c3d.write(pose, tmp_path / "b.c3d")
    assert not (tmp_path / "b.c3d").exists()


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pose = moving("walk", seconds=0.1)
    path = c3d.write(pose, tmp_path / "a.c3d").paths[0]
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(MissingExtraError, match=r'pip install "poselift\[formats\]"'):
        c3d.write(pose, tmp_path / "b.c3d")
    assert c3d.read(path).num_frames == 5  # reading needs none


@pytest.mark.parametrize(
    ("at", "new", "message"),
    [
        (0, b"\x00", "no parameters"),
        (0, b"\xff", "no parameters"),
        (1, b"\x00", "does not have the mark"),
        (2, b"\x00\x00", "no points"),
        (2, b"\xff\xff", "bytes; expected"),
        (8, b"\xff\xff", "bytes; expected"),
        (8, b"\x00\x00", "no points or no frames"),
        (16, b"\x00\x00", "bytes; expected"),
        (20, b"\x00\x00\x00\x00", "frames per second"),
        (515, b"\x55", r"processor 85; expected 84 \(Intel\)"),
    ],
)
def test_files_that_are_not_as_they_should_be(
    at: int, new: bytes, message: str, tmp_path: Path
) -> None:
    path = c3d.write(moving("walk", seconds=0.1), tmp_path / "a.c3d").paths[0]
    raw = bytearray(path.read_bytes())
    raw[at : at + len(new)] = new
    path.write_bytes(raw)
    with pytest.raises(DataError, match=message) as error:
        c3d.read(path)
    assert "a.c3d" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"mm", b"ft", "units 'ft'"),
        (b"+Y", b"+X", "two different axes"),
        (b"+Y", b"up", "screen axis 'up'"),
    ],
)
def test_parameters_that_cannot_be(old: bytes, new: bytes, message: str, tmp_path: Path) -> None:
    path = c3d.write(moving("walk", seconds=0.1), tmp_path / "a.c3d").paths[0]
    raw = path.read_bytes()
    assert raw.count(old) == 1
    path.write_bytes(raw.replace(old, new))
    with pytest.raises(DataError, match=message):
        c3d.read(path)

"""TRC, read by OpenSim's rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from motion_examples import POINTS, example, moving, y_up

from poselift.errors import DataError
from poselift.motion import trc
from poselift.poses import Pose3D
from poselift.skeleton import H36M_17, Skeleton


def opensim(path: Path) -> tuple[dict[str, str], list[str], np.ndarray, np.ndarray]:
    """Metadata, labels, times and markers, by the rules of OpenSim's reader (TRCFileAdapter)."""
    lines = path.read_text("utf-8").split("\n")
    assert lines.pop() == ""  # the last line has an end

    def tokens(line: str, skip_empty: bool = True) -> list[str]:
        return [part for part in line.split("\t") if part or not skip_empty]

    assert lines[0].split()[0] == "PathFileType"
    keys, values = tokens(lines[1]), tokens(lines[2])
    assert keys == [
        "DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate",
        "OrigDataStartFrame", "OrigNumFrames",
    ]  # fmt: skip
    assert len(values) == len(keys)
    meta = dict(zip(keys, values, strict=True))
    labels = tokens(lines[3])
    assert len(labels) == int(meta["NumMarkers"]) + 2
    assert labels[:2] == ["Frame#", "Time"]
    count = len(labels) - 2
    assert tokens(lines[4]) == [f"{axis}{i + 1}" for i in range(count) for axis in "XYZ"]
    rows = [tokens(line, skip_empty=False) for line in lines[5:]]
    assert {len(row) for row in rows} == {3 * count + 2}
    numbers = np.array([[float(cell) for cell in row] for row in rows])
    assert len(rows) == int(meta["NumFrames"])
    np.testing.assert_array_equal(numbers[:, 0], np.arange(len(rows)) + 1)
    return meta, labels[2:], numbers[:, 1], numbers[:, 2:].reshape(len(rows), count, 3)


def test_opensim_reads_it(tmp_path: Path) -> None:
    pose = moving("walk", "wave", fps=29.97, times=2 + np.arange(50) / 29.97)
    pose.joints[0, 3:5, H36M_17.index("right_wrist")] = np.nan  # the last marker too
    written = trc.write(pose, tmp_path / "zwei Läufer.trc")
    for person, path in enumerate(written.paths):
        meta, labels, times, markers = opensim(path)
        assert (meta["DataRate"], meta["Units"]) == ("29.97", "m")
        assert tuple(labels) == H36M_17.joints
        np.testing.assert_allclose(times, pose.times, atol=1e-7)
        np.testing.assert_allclose(markers, y_up(pose)[person], atol=2e-6)
        assert path.read_text("utf-8").startswith(f"PathFileType\t4\t(X/Y/Z)\t{path.name}\n")


def test_names_with_spaces_stay_one_name(tmp_path: Path) -> None:
    skeleton = Skeleton("odd", ("left\tknee", " fuß links ", ""), {})
    path = trc.write(Pose3D(np.ones((1, 1, 3, 3)), skeleton=skeleton), tmp_path / "a.trc").paths[0]
    assert opensim(path)[1] == ["left_knee", "fuß_links", "joint"]


def test_files_of_other_programs(tmp_path: Path) -> None:
    path = tmp_path / "a.trc"
    path.write_bytes(
        b"PathFileType\t4\t(X/Y/Z)\tC:\\caf\xe9.trc\t\r\n"
        b"DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame"
        b"\tOrigNumFrames\r\n100\t100\t2\t2\tmm\t100\t1\t2\r\n"
        b"Frame#\tTime\tR.ASIS\t\t\tL.ASIS\t\t\t\r\n\t\tX1\tY1\tZ1\tX2\tY2\tZ2\t\r\n\r\n"
        b"1\t0.00\t100\t1000\t-50\t\t\t\t\r\n2\t0.01\t110\t1001\t-51\t-100\t1000\t50\t\r\n"
    )
    pose = trc.read(path)
    assert (pose.skeleton.joints, pose.skeleton.root) == (("R.ASIS", "L.ASIS"), None)
    expected = [[[0.1, 1, -0.05], [np.nan] * 3], [[0.11, 1.001, -0.051], [-0.1, 1, 0.05]]]
    np.testing.assert_allclose(y_up(pose)[0], expected, atol=1e-6)
    np.testing.assert_array_equal(pose.times, [0, 0.01])
    assert pose.fps == 100


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("PathFileType", "Path", "does not begin with PathFileType"),
        ("DataRate\t", "Rate\t", "no DataRate"),
        ("\tm\t", "\tfurlong\t", "units 'furlong'"),
        ("\t3\tm", "\t4\tm", "3 markers; expected 4"),
        ("\t2\t3\t", "\t5\t3\t", "2 frames; expected 5"),
        ("\n2\t", "\n2\t7\t8\n2\t", "a line of 2 cells"),
        ("29.97\t", "0\t", "fps of 0.0|0.0 frames per second"),
        ("29.97\t", "fast\t", "not a motion file"),
        ("\n2\t", "\n2\t0\n", "a line of"),
        ("mitte", "", "2 markers"),
    ],
)
def test_files_that_are_not_as_they_should_be(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.trc"
    trc.write(example(1, 2), path)
    pose = Pose3D(np.ones((1, 2, 3, 3)), skeleton=POINTS, fps=29.97)
    text = trc.write(pose, path).paths[0].read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(DataError, match=message) as error:
        trc.read(path)
    assert "a.trc" in str(error.value)

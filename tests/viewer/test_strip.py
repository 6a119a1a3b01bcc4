from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from walker import walker

from poselift.errors import DataError, UsageError
from poselift.poses import Pose3D
from poselift.viewer import write_strip

SVG = "{http://www.w3.org/2000/svg}"


def texts(path: Path) -> list[str]:
    root = ElementTree.parse(path).getroot()
    return [str(element.text) for element in root.iter(f"{SVG}text")]


def test_frames_are_spread_over_the_motion(tmp_path: Path) -> None:
    path = write_strip(walker(frames=61), tmp_path / "a.svg", frames=5)
    assert texts(path)[:5] == ["0.00 s", "0.50 s", "1.00 s", "1.50 s", "2.00 s"]
    root = ElementTree.parse(path).getroot()
    bones = [e for e in root.iter(f"{SVG}line") if e.get("class", "").startswith("b ")]
    assert len(bones) == 16 * 5 * 3  # bones, frames, rows
    heads = [e for e in root.iter(f"{SVG}circle") if e.get("r") == "5.5"]
    assert len(heads) == 5 * 3


def test_people_stand_upright_and_inside(tmp_path: Path) -> None:
    path = write_strip(walker(persons=2), tmp_path / "a.svg", frames=3)
    root = ElementTree.parse(path).getroot()
    _, _, width, height = map(float, root.get("viewBox", "").split())
    circles = list(root.iter(f"{SVG}circle"))
    for figure in np.array_split(np.arange(len(circles)), len(circles) // 17):
        y = [float(circles[i].get("cy", "nan")) for i in figure]
        assert np.argmin(y) == 10  # the head is the highest
        assert np.argmax(y) in (3, 6)  # an ankle is the lowest
    assert all(0 < float(e.get("cx", "nan")) < width for e in circles)
    assert all(0 < float(e.get("cy", "nan")) < height for e in circles)


def test_left_and_right_are_told_apart_by_colour_and_by_form(tmp_path: Path) -> None:
    text = write_strip(walker(), tmp_path / "a.svg", frames=1).read_text("utf-8")
    assert text.count('<circle class="l o"') == 6 * 3
    assert text.count('<circle class="d"') == 6 * 3
    assert "prefers-color-scheme:dark" in text


def test_absent_persons_and_joints_are_passed_over(tmp_path: Path) -> None:
    pose = walker(persons=2, frames=10)
    for array in (pose.joints, pose.keypoints):
        array[:, :6] = np.nan  # nobody in the first frames
        array[1] = np.nan  # and one person never
        array[0, :, 16] = np.nan
    path = write_strip(pose, tmp_path / "a.svg", frames=8)
    shown = [text for text in texts(path) if text.endswith(" s")]
    assert shown == ["0.20 s", "0.23 s", "0.27 s", "0.30 s"]
    text = path.read_text("utf-8")
    assert "nan" not in text
    assert text.count("<circle") == 16 * 4 * 3


def test_poses_without_2d_and_without_anybody(tmp_path: Path) -> None:
    pose = walker(keypoints=None, rooted=False)
    assert "2D joints" not in texts(write_strip(pose, tmp_path / "a.svg"))
    nobody = Pose3D(np.full((1, 3, 17, 3), np.nan))
    assert texts(write_strip(nobody, tmp_path / "b.svg")).count("nobody") == 6
    single = walker(frames=1)
    assert texts(write_strip(single, tmp_path / "c.svg"))[0] == "0.00 s"
    point = Pose3D(np.zeros((1, 1, 17, 3)))  # no extent at all
    assert "nan" not in write_strip(point, tmp_path / "d.svg").read_text("utf-8")


def test_the_title_is_escaped(tmp_path: Path) -> None:
    path = write_strip(walker(), tmp_path / "a.svg", title="</title><script>\x00 \udcff")
    assert "<script>" not in path.read_text("utf-8")
    title = ElementTree.parse(path).getroot().find(f"{SVG}title")
    assert title is not None
    assert re.fullmatch(r"</title><script>  \?", str(title.text))


def test_arguments_that_make_no_sense(tmp_path: Path) -> None:
    for frames in (0, -1, 2.5, True, "8"):
        with pytest.raises(UsageError, match="frames in the strip"):
            write_strip(walker(), tmp_path / "a.svg", frames=frames)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"ends in \.svg"):
        write_strip(walker(), tmp_path / "a.png")
    pose = walker()
    pose.root[0, 0] = np.inf
    with pytest.raises(DataError, match="infinite"):
        write_strip(pose, tmp_path / "a.svg")
    assert list(tmp_path.iterdir()) == []

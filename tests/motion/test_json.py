from __future__ import annotations

import json as standard
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from motion_examples import example

from poselift.errors import DataError
from poselift.motion import json


def test_other_programs_can_read_it(tmp_path: Path) -> None:
    pose = example(persons=2, frames=3)
    json.write(pose, tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text("utf-8")
    content = standard.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert list(content) == ["meta", "fps", "times", "joint_names", "parents", "persons"]
    assert content["joint_names"][0] == "pelvis"
    first = content["persons"][0]
    assert first["track_id"] == 3
    assert first["joints"][0][0] == [None, None, None]  # absent, and still three numbers
    assert np.shape(first["joints"]) == (3, 17, 3)
    assert np.shape(first["keypoints"]) == (3, 17, 2)


def test_numbers_are_short_and_a_frame_is_a_line(tmp_path: Path) -> None:
    pose = example(persons=1, frames=3)
    pose.root[0, :, 0] = np.float32(0.1)
    json.write(pose, tmp_path / "a.json")
    lines = (tmp_path / "a.json").read_text("utf-8").splitlines()
    roots = lines.index('   "root": [')
    assert all(line.strip().startswith("[0.1,") for line in lines[roots + 1 : roots + 4])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("persons"), "no 'persons'"),
        (lambda c: c["persons"][0].pop("root"), "no 'root'"),
        (lambda c: c.update(persons=[]), "no person"),
        (lambda c: c.update(persons=5), "not a motion file"),
        (lambda c: c.update(fps="fast"), "fps of type"),
        (lambda c: c.update(fps=None), "fps of type"),
        (lambda c: c.update(fps=10**400), "fps of type object"),
        (lambda c: c["persons"][0].update(track_id=0.5), "track_ids of type float64"),
        (lambda c: c["persons"][0]["joints"][0].pop(), "not a motion file"),
        (lambda c: c["persons"][0]["joints"][0][0].__setitem__(0, 1e300), "infinite"),
        (lambda c: c["meta"].update(units="mm"), 'has units "mm"'),
        (lambda c: c.update(parents=["a"] * 17), "not a motion file"),
    ],
)
def test_files_that_are_not_as_they_should_be(change: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    json.write(example(), path)
    content = standard.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(standard.dumps(content), "utf-8")
    with pytest.raises(DataError, match=message) as error:
        json.read(path)
    assert "a.json" in str(error.value)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"5", b"\xff\xfe", b"[" * 100_000, b'{"fps": NaN}', b"null"]
)
def test_files_that_are_no_motion_at_all(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a motion file"):
        json.read(path)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    json.write(example(), path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert json.read(path).num_persons == 2

"""Laws that every format obeys, and the choice of the format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from motion_examples import assert_same, example, poses

from poselift import motion
from poselift.errors import DataError, PoseliftError, UsageError
from poselift.poses import Pose3D

READABLE = [name for name, each in motion.FORMATS.items() if each.read]


@pytest.mark.parametrize("name", READABLE)
@settings(max_examples=40, deadline=None)
@given(pose=poses())
def test_what_was_written_is_read(
    name: str, pose: Pose3D, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("motion") / f"Läufer 1.v2.{name}"
    assert motion.write(pose, path) == path
    back = motion.read(path)
    assert_same(pose, back)
    assert {key: back.meta[key] for key in pose.meta} == pose.meta
    # From here on nothing changes any more, not even a byte.
    first = path.read_bytes()
    motion.write(back, path)
    assert path.read_bytes() == first


@pytest.mark.parametrize("name", motion.FORMATS)
def test_writing_is_whole_or_not_at_all(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"a.{name}"
    path.write_bytes(b"old")

    def broken(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(DataError, match="no space left"):
        motion.write(example(), path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("name", motion.FORMATS)
def test_infinite_numbers_are_refused(name: str, tmp_path: Path) -> None:
    pose = example()
    pose.root[0, 1, 2] = np.inf
    with pytest.raises(DataError, match="infinite numbers in root"):
        motion.write(pose, tmp_path / f"a.{name}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", READABLE)
def test_metadata_says_what_the_numbers_are(name: str, tmp_path: Path) -> None:
    path = motion.write(example(meta={"model": "htnet", "units": "furlongs"}), tmp_path / "a", name)
    meta = motion.read(path, name).meta
    assert meta["units"] == "metres"  # the arrays decide, not what somebody put into meta
    assert (meta["skeleton"], meta["frame"], meta["model"]) == ("h36m-17", "camera", "htnet")
    assert meta["joints_relative_to"] == "pelvis"
    assert meta["weights_licence"] is None
    assert meta["version"]


@pytest.mark.parametrize("name", READABLE)
def test_metadata_of_odd_types(name: str, tmp_path: Path) -> None:
    meta = {
        "source": Path("clip.mp4"),
        "image_size": (640, np.int64(480)),
        "assumed": {"focal": np.float32(0.5), "lost": float("nan"), 3: np.arange(2)},
        "name": "\udcff",  # how Python shows a file name that is no text
    }
    meta_back = motion.read(motion.write(example(meta=meta), tmp_path / f"a.{name}")).meta
    assert meta_back["source"] == "clip.mp4"
    assert meta_back["image_size"] == [640, 480]
    assert meta_back["assumed"] == {"focal": 0.5, "lost": None, "3": [0, 1]}
    assert meta_back["name"] == "\\udcff"
    with pytest.raises(UsageError, match=r"meta\.what is of type object"):
        motion.write(example(meta={"what": object()}), tmp_path / f"b.{name}")
    assert not (tmp_path / f"b.{name}").exists()


def test_the_extension_decides_unless_a_format_is_named(tmp_path: Path) -> None:
    pose = example()
    assert_same(pose, motion.read(motion.write(pose, tmp_path / "A.NPZ")))
    assert motion.write(pose, tmp_path / "b.dat", format="json").read_text()[0] == "{"
    assert_same(pose, motion.read(tmp_path / "b.dat", format="json"))


def test_unknown_formats(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"format 'xyz' is not known; expected npz, json or csv"):
        motion.write(example(), tmp_path / "a.xyz")
    with pytest.raises(UsageError, match="no extension that says the format"):
        motion.write(example(), tmp_path / "a")
    with pytest.raises(UsageError, match="format 'xyz'"):
        motion.read(tmp_path / "a.npz", format="xyz")
    with pytest.raises(UsageError, match="only written; expected npz or json"):
        motion.read(tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", READABLE)
def test_damaged_files_are_data_errors(name: str, tmp_path: Path) -> None:
    whole = motion.write(example(frames=2), tmp_path / f"a.{name}").read_bytes()
    path = tmp_path / f"b.{name}"
    for cut in range(0, len(whole) - 2, max(1, len(whole) // 25)):
        path.write_bytes(whole[:cut])
        with pytest.raises(PoseliftError, match=path.name):
            motion.read(path)

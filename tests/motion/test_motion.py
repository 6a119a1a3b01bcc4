"""Laws that every format obeys, and the choice of the format."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from motion_examples import assert_same, example, moving, poses

from poselift import motion
from poselift.errors import DataError, PoseliftError, UsageError
from poselift.poses import Pose3D
from poselift.skeleton import H36M_17

EXACT = [name for name, each in motion.FORMATS.items() if each.exact]
READABLE = [name for name, each in motion.FORMATS.items() if each.read]
JOINTS = [name for name in READABLE if name not in EXACT]
ONE_PERSON = ("bvh", "trc", "c3d")


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=40, deadline=None)
@given(pose=poses())
def test_what_was_written_is_read(
    name: str, pose: Pose3D, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("motion") / f"Läufer 1.v2.{name}"
    assert motion.write(pose, path) == motion.Written((path,))
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


@pytest.mark.parametrize("name", EXACT)
def test_metadata_says_what_the_numbers_are(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    motion.write(example(meta={"model": "htnet", "units": "furlongs"}), path, name)
    meta = motion.read(path, name).meta
    assert meta["units"] == "metres"  # the arrays decide, not what somebody put into meta
    assert (meta["skeleton"], meta["frame"], meta["model"]) == ("h36m-17", "camera", "htnet")
    assert meta["joints_relative_to"] == "pelvis"
    assert meta["weights_licence"] is None
    assert meta["version"]


@pytest.mark.parametrize("name", EXACT)
def test_metadata_of_odd_types(name: str, tmp_path: Path) -> None:
    meta = {
        "source": Path("clip.mp4"),
        "image_size": (640, np.int64(480)),
        "assumed": {"focal": np.float32(0.5), "lost": float("nan"), 3: np.arange(2)},
        "name": "\udcff",  # how Python shows a file name that is no text
    }
    motion.write(example(meta=meta), tmp_path / f"a.{name}")
    meta_back = motion.read(tmp_path / f"a.{name}").meta
    assert meta_back["source"] == "clip.mp4"
    assert meta_back["image_size"] == [640, 480]
    assert meta_back["assumed"] == {"focal": 0.5, "lost": None, "3": [0, 1]}
    assert meta_back["name"] == "\\udcff"
    with pytest.raises(UsageError, match=r"meta\.what is of type object"):
        motion.write(example(meta={"what": object()}), tmp_path / f"b.{name}")
    assert not (tmp_path / f"b.{name}").exists()


def test_the_extension_decides_unless_a_format_is_named(tmp_path: Path) -> None:
    pose = example()
    motion.write(pose, tmp_path / "A.NPZ")
    assert_same(pose, motion.read(tmp_path / "A.NPZ"))
    assert motion.write(pose, tmp_path / "b.dat", format="json").paths[0].read_text()[0] == "{"
    assert_same(pose, motion.read(tmp_path / "b.dat", format="json"))


def test_unknown_formats(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"format 'xyz' is not known; expected npz, json, csv, .* or glb"
    ):
        motion.write(example(), tmp_path / "a.xyz")
    with pytest.raises(UsageError, match="no extension that says the format"):
        motion.write(example(), tmp_path / "a")
    with pytest.raises(UsageError, match="format 'xyz'"):
        motion.read(tmp_path / "a.npz", format="xyz")
    with pytest.raises(UsageError, match=r"only written; expected npz, json, bvh, .* or glb"):
        motion.read(tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", READABLE)
def test_damaged_files_are_data_errors(name: str, tmp_path: Path) -> None:
    example_pose = example(persons=1, frames=20)
    whole = motion.write(example_pose, tmp_path / f"a.{name}").paths[0].read_bytes()
    path = tmp_path / f"b.{name}"
    # The very end may be padding, or half a number that is a number too.
    last = len(whole) - 2 if name in EXACT else len(whole) * 9 // 10
    for cut in range(0, last, max(1, len(whole) // 25)):
        path.write_bytes(whole[:cut])
        with pytest.raises(PoseliftError, match=path.name):
            motion.read(path)


@pytest.mark.parametrize("name", JOINTS)
@settings(max_examples=40, deadline=None)
@given(pose=poses())
def test_any_pose_can_be_written_and_read(
    name: str, pose: Pose3D, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Absent people, single frames, joints that are NaN, odd rates, sizes and names."""
    path = tmp_path_factory.mktemp("motion") / f"Läufer 1.v2.{name}"
    present = [p for p in range(pose.num_persons) if np.isfinite(pose.joints[p]).all(-1).any()]
    known = name in ("trc", "c3d") or pose.skeleton == H36M_17
    if not known or not present:
        with pytest.raises(PoseliftError, match=r"no known rest pose|no joint in any frame"):
            motion.write(pose, path)
        assert list(path.parent.iterdir()) == []
        return
    written = motion.write(pose, path)
    assert sorted(path.parent.iterdir()) == sorted(written.paths)
    if name in ONE_PERSON and pose.num_persons > 1:
        ids = [pose.track_ids[p] for p in present]
        assert [file.name for file in written.paths] == [f"Läufer 1.v2_{i}.{name}" for i in ids]
    else:
        assert written.paths == (path,)
    for number, file in enumerate(written.paths):
        back = motion.read(file)
        assert set(back.skeleton.joints) == set(pose.skeleton.joints)
        persons = present if name == "glb" else [present[number]]
        assert back.num_persons == len(persons)
        assert back.fps == pytest.approx(pose.fps, rel=1e-6)
        if name == "glb":
            assert back.track_ids.tolist() == pose.track_ids[present].tolist()
        if name == "trc":
            np.testing.assert_allclose(back.times, pose.times, rtol=1e-8)
        if name in ("bvh", "glb"):  # every joint is somewhere in every frame
            assert np.isfinite(back.absolute).all()
        elif back.num_frames == pose.num_frames:
            order = [back.skeleton.index(joint) for joint in pose.skeleton.joints]
            gone = np.isnan(back.absolute[:, :, order]).any(axis=-1)
            np.testing.assert_array_equal(gone, np.isnan(pose.joints[persons]).any(axis=-1))
        # Once read, it can be written in any format.
        motion.write(back, path.parent / "again.npz")
        if np.isfinite(back.joints).all(-1).any():  # the one frame that shows a joint may fall
            motion.write(back, path.parent / f"again.{name}")  # between two of an even rate


@pytest.mark.parametrize("name", JOINTS)
def test_people_who_move_come_back(name: str, tmp_path: Path) -> None:
    pose = moving("walk", "wave", "squat", track_ids=np.array([4, 0, 9]))
    written = motion.write(pose, tmp_path / f"clip.{name}")
    assert written.notes == ()
    if name in ONE_PERSON:
        assert [p.name for p in written.paths] == [f"clip_{i}.{name}" for i in (4, 0, 9)]
        back = np.concatenate([motion.read(path).absolute for path in written.paths])
    else:
        back = motion.read(written.paths[0]).absolute
    np.testing.assert_allclose(back, pose.absolute, atol=2e-5)


@pytest.mark.parametrize("name", [*JOINTS, "npz", "json"])
@pytest.mark.parametrize("other", JOINTS)
def test_any_format_becomes_any_other(name: str, other: str, tmp_path: Path) -> None:
    pose = moving("walk", seconds=0.2)
    motion.write(pose, tmp_path / f"a.{name}")
    motion.write(motion.read(tmp_path / f"a.{name}"), tmp_path / f"b.{other}")
    back = motion.read(tmp_path / f"b.{other}")
    np.testing.assert_allclose(back.absolute, pose.absolute, atol=5e-5)
    assert (back.skeleton, back.fps, back.num_frames) == (H36M_17, 50.0, 10)


@pytest.mark.parametrize("name", JOINTS)
def test_notes_say_what_was_made_up(name: str, tmp_path: Path) -> None:
    pose = moving("walk", placed=False)
    joints = pose.joints.copy()
    joints[0, 10:15] = np.nan
    joints[0, 20:22, 3] = np.nan
    notes = motion.write(Pose3D(joints, fps=50.0), tmp_path / f"a.{name}").notes
    expected = ["person 0 stands at the origin: where it stood is not known"]
    if name in ("bvh", "glb"):
        expected += [
            "person 0: absent in 5 of 50 frames, interpolated",
            "person 0: some joints interpolated in 2 of 50 frames",
        ]
    assert list(notes) == expected
    if name in ("trc", "c3d"):
        back = motion.read(tmp_path / f"a.{name}")
        np.testing.assert_array_equal(np.isnan(back.absolute), np.isnan(joints))


@pytest.mark.parametrize("name", JOINTS)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_damage_is_a_data_error(
    name: str, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = folder / f"whole.{name}"
    if not whole.exists():
        motion.write(example(persons=1, frames=3), whole)
    content = bytearray(whole.read_bytes())
    rng = np.random.default_rng(seed)
    # Headers matter most.
    reach = min(len(content), int(rng.choice([1000, len(content)])))
    for place in rng.integers(reach, size=rng.integers(1, 6)):
        content[place] = rng.integers(256)
    path = folder / f"damaged.{name}"
    path.write_bytes(content)
    with suppress(DataError):
        assert motion.read(path).num_persons == 1

"""Every format that the command writes, with motion as it comes from real video."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from poselift.cli.outputs import DRAWN, FORMATS, write_motion
from poselift.data.procedural import generate
from poselift.errors import DataError
from poselift.poses import Pose3D

PERSONS, FRAMES = 2, 6
NAME = "Läufer 1: früh & spät (日本)"


def walkers() -> Pose3D:
    """Two people before a camera 1 m above the floor, and what a camera of 640 x 480 sees."""
    joints = np.stack(
        [generate("walk", 1.0, 30.0, seed).joints[:FRAMES] for seed in range(PERSONS)]
    )
    camera = np.stack([joints[..., 0], 1 - joints[..., 2], joints[..., 1] + 5], axis=-1)
    pixels = camera[..., :2] / camera[..., 2:] * 600 + (320, 240)
    root = camera[:, :, 0]
    scores = np.ones(pixels.shape[:-1])
    meta = {"image_size": [640, 480], "source": f"{NAME}.mp4", "model": "nanohtnet"}
    return Pose3D(camera - root[:, :, None], root, pixels, scores, fps=30.0, meta=meta)


def without(pose: Pose3D, where: tuple[object, ...], *names: str) -> Pose3D:
    """The pose with NaN at an index of some of its arrays."""
    arrays = {name: getattr(pose, name).copy() for name in names}
    for array in arrays.values():
        array[where] = np.nan
    return replace(pose, **arrays)


def odd(what: str) -> Pose3D:
    pose = walkers()
    everything = ("joints", "root", "keypoints")
    if what == "as it should be":
        return pose
    if what == "a person absent at both ends":
        return without(without(pose, (1, slice(0, 2)), *everything), (1, -1), *everything)
    if what == "a person absent in every frame":
        return without(pose, (1,), *everything)
    if what == "frames without anybody":
        return without(pose, (slice(None), slice(2, 4)), *everything)
    if what == "joints that are NaN":
        pose = without(pose, (0, slice(None), 3), "joints", "keypoints")
        return without(pose, (1, 2, slice(5, 15)), "joints")
    if what == "half a joint":
        return without(pose, (0, 1, 3, 0), "joints")
    if what == "no place in the room":
        return without(pose, (), "root")
    if what == "no 2D joints":
        return without(pose, (), "keypoints")
    if what == "one frame":
        arrays = {name: getattr(pose, name)[:, :1] for name in (*everything, "scores")}
        return replace(pose, **arrays, times=np.zeros(1))
    if what == "uneven times":
        return replace(pose, times=np.array([0.0, 0.1, 0.11, 0.5, 2.0, 2.01]))
    if what == "a frame in a quarter of an hour":
        return replace(pose, fps=1e-3, times=np.arange(FRAMES) * 1e3)
    assert what == "far away"
    return replace(pose, root=pose.root * 1000)


ODD = [
    "as it should be",
    "a person absent at both ends",
    "a person absent in every frame",
    "frames without anybody",
    "joints that are NaN",
    "half a joint",
    "no place in the room",
    "no 2D joints",
    "one frame",
    "uneven times",
    "far away",
]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("what", ODD)
def test_odd_motion_is_written(name, what, tmp_path):
    written = write_motion(odd(what), tmp_path / f"{NAME}.{name}")
    assert written.paths
    assert sorted(tmp_path.iterdir()) == sorted(written.paths)
    for path in written.paths:
        assert path.name.startswith(NAME)
        assert path.stat().st_size > 100


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in DRAWN])
def test_very_slow_motion_is_written(name, tmp_path):
    pose = odd("a frame in a quarter of an hour")
    assert write_motion(pose, tmp_path / f"{NAME}.{name}").paths


@pytest.mark.parametrize("name", FORMATS)
def test_nobody_in_any_frame(name, tmp_path):
    """Written where the format has a place for nobody, else refused; never half of it."""
    pose = without(walkers(), (), "joints", "root", "keypoints")
    path = tmp_path / f"a.{name}"
    if name in ("bvh", "trc", "c3d", "glb"):
        with pytest.raises(DataError, match="no joint in any frame"):
            write_motion(pose, path)
        assert list(tmp_path.iterdir()) == []
    else:
        assert write_motion(pose, path).paths == (path,)


def test_no_motion_has_a_rate_of_zero():
    with pytest.raises(DataError, match="fps of 0"):
        replace(walkers(), fps=0.0)


def test_a_keypoint_file_with_a_rate_of_zero(command, tmp_path):
    path = tmp_path / f"{NAME}.npz"
    np.savez(path, keypoints=walkers().keypoints, layout="h36m-17", fps=0.0)
    done = command("lift", path, "-o", tmp_path / "out")
    assert done.code == 1
    assert "fps" in done.err
    assert not (tmp_path / "out").exists()

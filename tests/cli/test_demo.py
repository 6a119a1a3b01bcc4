from __future__ import annotations

import numpy as np

from poselift import motion
from poselift.cli.demo import clip


def test_writes_everything_and_says_where(command, checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command("demo", "--model", checkpoint)
    assert (done.code, done.err) == (0, "")
    names = {"demo_keypoints.npz", "demo.npz", "demo.html", "demo.svg"}
    assert {path.name for path in (tmp_path / "poselift-demo").iterdir()} == names
    assert all(f"poselift-demo/{name}" in done.out for name in names)
    lifted = motion.read(tmp_path / "poselift-demo" / "demo.npz")
    assert lifted.joints.shape == (2, 230, 17, 3)
    seen = np.isfinite(lifted.joints).all(axis=(2, 3))
    assert seen.any(axis=1).all()
    assert "BSD 3-Clause" in lifted.meta["source"]


def test_its_keypoints_can_be_lifted_again(command, checkpoint, tmp_path):
    assert command("demo", "-o", tmp_path / "a", "--model", checkpoint).code == 0
    again = tmp_path / "a" / "demo_keypoints.npz"
    assert command("lift", again, "-o", tmp_path / "b", "--model", checkpoint).code == 0
    first = motion.read(tmp_path / "a" / "demo.npz")
    second = motion.read(tmp_path / "b" / "demo_keypoints.npz")
    np.testing.assert_allclose(second.joints, first.joints, atol=1e-6)


def test_the_clip_is_of_two_real_persons():
    pose = clip()
    assert pose.skeleton.name == "mediapipe-33"
    assert pose.num_persons == 2
    assert pose.image_size == (1768, 994)

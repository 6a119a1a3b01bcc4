"""Networks that read the detector's score as a third number of each joint."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from poselift import models
from poselift.errors import CheckpointError
from poselift.export.onnx import export_onnx
from poselift.export.torchscript import export_torchscript
from poselift.geometry.mirror import mirror_joints
from poselift.geometry.normalise import normalise
from poselift.poses import Pose2D
from poselift.runtime.lifter import Lifter
from poselift.runtime.streaming import StreamingLifter
from poselift.skeleton import H36M_17

SIZE = (1000, 1000)
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_checkpoint: Make) -> Path:
    """Of a network that reads confidence. With graph."""
    path = tmp_path_factory.mktemp("confidence")
    make_checkpoint(path, "motionbert", normalisation="screen", confidence=True)
    export_onnx(path, weights="float32")
    return path


def clip(frames: int = 9) -> Pose2D:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.2, 1, size=(1, frames, 17))
    return Pose2D(rng.uniform(200, 700, size=(1, frames, 17, 2)), scores, fps=50, image_size=SIZE)


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_the_network_gets_the_scores(folder: Path, backend: str) -> None:
    pose = clip(models.load(folder).config.num_frames)
    lifted = Lifter(folder, backend, windows="tiled").lift(pose, repair=False)
    xy = normalise(pose.keypoints.astype(np.float32), SIZE, "screen")
    x = np.concatenate([xy, pose.scores[..., None]], axis=-1).astype(np.float32)
    with torch.inference_mode():
        expected = models.load(folder)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(lifted.joints, expected - expected[:, :, :1], atol=2e-5)
    assert lifted.meta["confidence"]
    sure = Lifter(folder, backend, windows="tiled").lift(
        replace(pose, scores=np.ones_like(pose.scores)), repair=False
    )
    assert np.abs(sure.joints - lifted.joints).max() > 1e-3


def test_one_that_does_not_read_them_is_not_moved(make_checkpoint: Make, tmp_path: Path) -> None:
    plain = make_checkpoint(tmp_path, "motionbert", normalisation="screen")
    lifter = Lifter(plain, "torch")
    pose = clip()
    other = replace(pose, scores=np.ones_like(pose.scores))
    np.testing.assert_array_equal(lifter.lift(pose).joints, lifter.lift(other).joints)


def test_mirrored_scores_go_with_their_joints(folder: Path) -> None:
    pose = clip()
    swap = list(H36M_17.mirror_indices)
    keypoints = pose.keypoints[..., swap, :].copy()
    keypoints[..., 0] = SIZE[0] - keypoints[..., 0]
    mirrored = replace(pose, keypoints=keypoints, scores=pose.scores[..., swap])
    lifter = Lifter(folder, "torch", flip=True)
    joints, other = lifter.lift(pose, repair=False), lifter.lift(mirrored, repair=False)
    np.testing.assert_allclose(mirror_joints(other.joints), joints.joints, atol=1e-5)


def test_an_absent_joint_has_no_confidence(folder: Path) -> None:
    pose = clip(20)
    gone = pose.keypoints.copy()
    gone[0, 7, 13] = np.nan
    filled = pose.keypoints.copy()
    filled[0, 7, 13] = (gone[0, 6, 13] + gone[0, 8, 13]) / 2
    scores = pose.scores.copy()
    scores[0, 7, 13] = 0
    lifter = Lifter(folder, "torch")
    a = lifter.lift(replace(pose, keypoints=gone, scores=pose.scores), repair=False)
    b = lifter.lift(replace(pose, keypoints=filled, scores=scores), repair=False)
    np.testing.assert_allclose(a.joints, b.joints, atol=1e-5)


def test_streaming_gives_what_lifting_gives(make_checkpoint: Make, tmp_path: Path) -> None:
    newest = make_checkpoint(
        tmp_path, "motionbert", target="newest", normalisation="screen", confidence=True
    )
    pose = clip(14)
    whole = Lifter(newest, "torch").lift(pose)
    stream = StreamingLifter(newest, backend="torch", image_size=SIZE)
    for t in range(pose.num_frames):
        one = stream.push(pose.keypoints[0, t], pose.scores[0, t])
        assert one is not None
        np.testing.assert_allclose(one.joints[0, 0], whole.joints[0, t], atol=1e-5)


def test_a_raw_graph_reads_them_too(folder: Path, tmp_path: Path) -> None:
    report = export_onnx(folder, tmp_path / "raw.onnx", raw=True)
    assert report.agreement.largest < 1e-3


@pytest.mark.filterwarnings("ignore")  # torch warns of torch
def test_torchscript_reads_them_too(folder: Path, tmp_path: Path) -> None:
    report = export_torchscript(folder, tmp_path / "net.pt", "float32")
    assert report.agreement.largest < 1e-3


def test_a_network_is_measured_with_them(folder: Path) -> None:
    argv = [sys.executable, "-m", "poselift.bench.probe", str(folder / "model.onnx")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "peak_mib" in done.stdout) == (0, True), done.stderr


def test_a_config_that_says_neither(make_checkpoint: Make, tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path, confidence=True)
    about = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(about | {"confidence": 3}))
    with pytest.raises(CheckpointError, match="confidence is 3; expected true or false"):
        Lifter(folder, "torch")

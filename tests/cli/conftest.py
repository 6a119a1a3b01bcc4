"""A small network, keypoints and motion capture for the command to work on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from samples import ABOUT, write_motion_capture, write_recipe

from poselift import keypoints, models
from poselift.cli.main import main
from poselift.data.procedural import generate
from poselift.evaluation.mocap import IMAGE_SIZE, project_views
from poselift.models.checkpoint import save_checkpoint
from poselift.models.registry import REGISTRY
from poselift.poses import Pose2D
from poselift.skeleton import H36M_17


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys) -> Callable[..., Result]:
    """Run ``poselift`` in this process."""

    def run(*argv: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in argv])
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """Checkpoint folder of a very small NanoHTNet with random weights."""
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    torch.manual_seed(0)
    network = models.create("nanohtnet", **REGISTRY["nanohtnet"].tiny)
    save_checkpoint(folder, "nanohtnet", network, ABOUT)
    return folder


@pytest.fixture(scope="session")
def walk() -> Pose2D:
    """A second of walking in one camera, 30 frames."""
    motion = generate("walk", seconds=1.0, fps=30.0, seed=1)
    return Pose2D(
        project_views(motion)[0], skeleton=H36M_17, fps=30.0, image_size=IMAGE_SIZE, source="walk"
    )


@pytest.fixture
def walk_file(walk, tmp_path) -> Path:
    """The walk as a keypoint file in a folder of its own."""
    return keypoints.write_npz(tmp_path / "in" / "walk.npz", walk)


@pytest.fixture(scope="session")
def capture(tmp_path_factory) -> Path:
    """Folder with ``motions_train.npz`` and ``motions_val.npz``."""
    folder = tmp_path_factory.mktemp("capture")
    motions = [generate(("walk", "squat")[seed % 2], 0.6, 50.0, seed) for seed in range(6)]
    write_motion_capture(folder / "motions_train.npz", motions[:4])
    write_motion_capture(folder / "motions_val.npz", motions[4:])
    return folder


@pytest.fixture
def recipe(tmp_path) -> Path:
    """A recipe that trains the very small network for a few steps."""
    path = tmp_path / "tiny.toml"
    write_recipe(path, "nanohtnet", 'normalisation = "person"')
    return path

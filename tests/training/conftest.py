"""A small recipe and the motions to train on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from poselift.data.mocap import Motion

sys.path.insert(0, str(Path(__file__).parent))  # under any import mode of pytest

from training_examples import training_clips

RECIPE = """
[model]
name = "nanohtnet"
[model.options]
num_frames = 9
num_out_frames = 3
dim = 24
hidden = 16
depth = 1
head_dim = 4
num_heads = 2

[train]
steps = 6
batch_size = 4
warmup = 2
validate_every = 2
precision = "32-true"

[data]
normalisation = "person"

[about]
expected = "nothing: six steps on a procedural motion"
licence = "MIT"
acknowledgement = "The data was made up."
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def motions() -> list[Motion]:
    return training_clips()

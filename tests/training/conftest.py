from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from poselift.data.mocap import Motion
from poselift.data.procedural import generate

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
    made = [generate(seconds=2.0, fps=50.0, seed=seed) for seed in range(3)]
    return [dataclasses.replace(m, name=f"clip-{i}") for i, m in enumerate(made)]

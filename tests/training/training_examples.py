"""The motions that the tests train on."""

from __future__ import annotations

import dataclasses

from poselift.data.mocap import Motion
from poselift.data.procedural import generate


def training_clips() -> list[Motion]:
    """Three clips of three subjects; two to train on."""
    made = [generate(seconds=2.0, fps=50.0, seed=seed) for seed in range(3)]
    return [dataclasses.replace(m, name=f"clip-{i}") for i, m in enumerate(made)]

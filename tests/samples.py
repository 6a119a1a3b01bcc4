"""Files that tests of several rooms need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from poselift.data.mocap import JOINT_NAMES, Motion
from poselift.models.registry import REGISTRY
from poselift.skeleton import H36M_17

ABOUT = {
    "skeleton": "h36m-17",
    "fps": 50.0,
    "normalisation": "person",
    "target": "centre",
    "licence": "CC0-1.0",
    "version": 1,
}
"""What a checkpoint folder says of its network."""


def write_recipe(path: Path, model: str, data: str) -> None:
    """A recipe that trains the model's very small network for three steps.

    Args:
        data: lines of section ``data``.
    """
    options = ", ".join(f"{key} = {value}" for key, value in REGISTRY[model].tiny.items())
    path.write_text(
        f'[model]\nname = "{model}"\noptions = {{ {options} }}\n'
        "[train]\nsteps = 3\nbatch_size = 4\nvalidate_every = 2\nwarmup = 1\n"
        f"[data]\n{data}\n"
    )


def write_motion_capture(path: Path, motions: Sequence[Motion]) -> None:
    """A file in the format of the open benchmark, millimetres as whole numbers."""
    lengths = [motion.num_frames for motion in motions]
    texts = ("name", "subject", "skeleton", "description")
    np.savez(
        path,
        pos=np.concatenate([np.round(m.joints * 1000) for m in motions]).astype(np.int16),
        start=np.cumsum([0, *lengths[:-1]]),
        length=np.array(lengths),
        fps=50,
        joint_names=np.array(JOINT_NAMES),
        parents=np.array(H36M_17.parent_indices),
        **{key: np.array([getattr(motion, key) for motion in motions]) for key in texts},
    )

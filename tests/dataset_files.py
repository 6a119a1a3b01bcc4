"""Small files of the data sets of the field, from procedural motion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from poselift.data import h36m, motionbert, mpi_inf_3dhp
from poselift.data.mocap import Motion
from poselift.data.procedural import generate

KINDS = ("walk", "turn", "squat", "wave")


def motion(seed: int, seconds: float = 0.4, fps: float = 50.0) -> Motion:
    return generate(KINDS[seed % len(KINDS)], seconds, fps, seed)


def h36m_motions(subjects: tuple[str, ...] = h36m.TEST) -> dict[tuple[str, str], Motion]:
    """Two actions, one of them with two takes, of different lengths."""
    names = ("Walking", "Walking 1", "Eating")
    pairs = [(subject, name) for subject in subjects for name in names]
    return {pair: motion(seed, 0.2 + 0.04 * seed) for seed, pair in enumerate(pairs)}


def write_all(folder: Path) -> None:
    """Every file of the three data sets, training and test subjects."""
    train = {(s, "Walking"): motion(n) for n, s in enumerate(h36m.TRAIN)}
    test = h36m_motions()
    h36m.write(folder, train | test)
    motionbert.write(folder / motionbert.FILE, train, test)
    mpi_inf_3dhp.write_train(
        folder / mpi_inf_3dhp.TRAIN_FILE,
        {f"{s} Seq1": motion(n, 0.4, 25.0) for n, s in enumerate(mpi_inf_3dhp.TRAIN)},
    )
    write_3dhp_test(folder / mpi_inf_3dhp.TEST_FILE)


def write_3dhp_test(path: Path) -> None:
    """Test sequences of 8 to 13 frames, of which the third is not valid."""
    motions = {name: motion(n, (8 + n) / 25, 25.0) for n, name in enumerate(mpi_inf_3dhp.TEST)}
    valid = {name: np.arange(m.num_frames) != 2 for name, m in motions.items()}
    mpi_inf_3dhp.write_test(path, motions, valid)


def npz_content(path: Path, key: str) -> Any:
    """What a pickled npz of ours holds, read the way the field does."""
    with np.load(path, allow_pickle=True) as arrays:
        return arrays[key].item()


def write_npz(path: Path, **content: Any) -> None:
    """An npz of pickled objects."""
    objects: dict[str, Any] = {k: np.array(v, dtype=object) for k, v in content.items()}
    np.savez(path, **objects)

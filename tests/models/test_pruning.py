from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from poselift.models.pruning import (
    PRUNINGS,
    AttentionPruning,
    ClusterPruning,
    MotionPruning,
    UniformPruning,
    choose,
)


def features(batch: int = 2, frames: int = 20, dim: int = 8, seed: int = 0) -> Tensor:
    return torch.randn(batch, frames, dim, generator=torch.Generator().manual_seed(seed))


def joints(batch: int = 2, frames: int = 20) -> Tensor:
    return features(batch, frames, 34, seed=1).unflatten(2, (17, 2))


def centre(x: Tensor) -> Tensor:
    return (torch.arange(x.shape[1]) == x.shape[1] // 2).expand(x.shape[:2])


@pytest.mark.parametrize("size", ["small", "medium", "full"])
def test_cluster_keeps_the_frames_that_the_authors_keep(shared: Path, size: str) -> None:
    arrays = np.load(shared / "golden" / "token_choice.npz")
    x = torch.from_numpy(arrays[f"{size}_features"])
    keep = arrays[f"{size}_tokens"].shape[1]
    scores = ClusterPruning().scores(x, x, keep)
    assert np.array_equal(choose(scores, keep), arrays[f"{size}_tokens"])
    with_centre = choose(scores, keep, centre(x))
    assert np.array_equal(with_centre, arrays[f"{size}_tokens_keep_center"])
    in_float32 = ClusterPruning().scores(x.float(), x, keep)
    assert np.array_equal(choose(in_float32, keep), arrays[f"{size}_tokens"])


def density_peaks(x: np.ndarray) -> np.ndarray:
    """The scores in the words of the paper, frame by frame: (F, C) -> (F,)."""
    distance = np.linalg.norm(x[:, None] - x[None], axis=-1) / np.sqrt(x.shape[1])
    density = np.exp(-np.mean(np.sort(distance, axis=1)[:, :2] ** 2, axis=1))
    scores = np.empty(len(x))
    for i in range(len(x)):
        higher = density > density[i]
        scores[i] = density[i] * (distance[i, higher].min() if higher.any() else distance.max())
    return scores


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_cluster_scores(scale: float) -> None:
    x = scale * features(frames=40) + 5
    scores = ClusterPruning().scores(x, joints(), 5)
    for mine, row in zip(scores, x.double().numpy(), strict=True):
        np.testing.assert_allclose(mine, density_peaks(row), rtol=1e-8)


def test_cluster_wastes_no_place_on_repeated_frames() -> None:
    x = features(1, 10)
    x[:, 4:] = x[:, 4:5]  # a clip's last frame, repeated
    kept = choose(ClusterPruning().scores(x, joints(), 5), 5)
    assert kept.tolist() == [[0, 1, 2, 3, 4]]
    still = torch.ones(1, 10, 8)
    assert choose(ClusterPruning().scores(still, joints(), 3), 3).tolist() == [[0, 1, 2]]


def test_uniform() -> None:
    def kept(frames: int, keep: int) -> list[int]:
        x = features(1, frames)
        return choose(UniformPruning().scores(x, joints(), keep), keep)[0].tolist()

    assert kept(9, 3) == [0, 4, 8]
    assert kept(9, 9) == [*range(9)]
    assert kept(10, 4) == [0, 3, 6, 9]
    assert kept(9, 1) == [0]
    steps = np.diff(kept(243, 81))
    assert set(steps) <= {3, 4}
    assert 121 in kept(243, 81)


def test_attention_leaves_out_what_no_frame_looks_at() -> None:
    x = torch.tensor([1.0, 0, 0, -1]).repeat(1, 6, 1) + 0.01 * features(1, 6, 4)
    x[0, 2] = torch.tensor([0.0, -1, 1, 0])
    assert choose(AttentionPruning().scores(x, joints(), 5), 5).tolist() == [[0, 1, 3, 4, 5]]


def test_motion_keeps_where_the_joints_moved() -> None:
    where = torch.tensor([0.0, 0, 0, 3, 3, 3, 1, 1, 1, 1])
    moved = where[None, :, None, None].expand(1, 10, 17, 2)
    assert choose(MotionPruning().scores(features(1, 10), moved, 4), 4).tolist() == [[2, 3, 5, 6]]
    at_once = moved[:, 2:]
    assert choose(MotionPruning().scores(features(1, 8), at_once, 1), 1).tolist() == [[0]]


@pytest.mark.parametrize("name", PRUNINGS)
@pytest.mark.parametrize(("frames", "keep"), [(1, 1), (2, 1), (2, 2), (20, 7)])
def test_every_pruning(name: str, frames: int, keep: int) -> None:
    x, poses = features(3, frames), joints(3, frames)
    scores = PRUNINGS[name].scores(x, poses, keep)
    kept = choose(scores, keep, centre(x))
    assert kept.shape == (3, keep)
    assert (kept.diff(dim=1) > 0).all()
    assert (kept == frames // 2).any(dim=1).all()
    alone = [PRUNINGS[name].scores(x[i : i + 1], poses[i : i + 1], keep) for i in range(3)]
    assert torch.equal(kept, torch.cat([choose(s, keep, centre(x)[:1]) for s in alone]))


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=12), st.data())
def test_choose_takes_the_largest_and_of_equals_the_earliest(
    values: list[int], data: st.DataObject
) -> None:
    keep = data.draw(st.integers(1, len(values)))
    best = np.argsort([-v for v in values], kind="stable")[:keep]
    assert choose(torch.tensor([values]).float(), keep)[0].tolist() == sorted(best)

"""Which frames an hourglass keeps: every frame gets a score, the best are kept.

A new choice is a class with :meth:`Pruning.scores` and a line in :data:`PRUNINGS`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F


class Pruning(ABC):
    """A score for each frame, from what the levels so far made of it and from the 2D joints.

    Attributes:
        name: in configs and checkpoints.
    """

    name: ClassVar[str]

    @abstractmethod
    def scores(self, pooled: Tensor, joints: Tensor, keep: int) -> Tensor:
        """Larger for frames to keep.

        Args:
            pooled: (B, F, C) a vector for each frame that is still there, in the order of time.
            joints: (B, F, 17, 2) its normalised 2D joints.
            keep: number of frames that will be kept, from 1 to F.

        Returns:
            (B, F).
        """


def choose(scores: Tensor, keep: int, always: Tensor | None = None) -> Tensor:
    """The frames of the largest scores; of equal ones the earlier frame.

    Args:
        scores: (B, F).
        keep: how many.
        always: (B, F) marks frames to keep whatever their score.

    Returns:
        (B, keep) places in 0...F-1, rising.

    >>> choose(torch.tensor([[1.0, 5.0, 1.0, 3.0]]), 3).tolist()
    [[0, 1, 3]]
    """
    if always is not None:
        scores = scores.masked_fill(always, math.inf)
    places = torch.arange(scores.shape[1], device=scores.device)
    ours, others = scores[:, :, None], scores[:, None, :]
    earlier = places[None, :] < places[:, None]  # (F, F): the other is earlier
    better = (others > ours) | ((others == ours) & earlier)
    # Ranks are all different, so that no runtime has ties of its own to break.
    kept = better.sum(dim=2) < keep
    sorted_places = torch.where(kept, places, scores.shape[1]).topk(keep, largest=False)
    return sorted_places.values


class ClusterPruning(Pruning):
    """TPC, the token pruning cluster: frames at the peaks of density.

    Li, Liu, Liu, Wang, Cai, Sebe, "Hourglass Tokenizer for Efficient Transformer-Based 3D Human
    Pose Estimation", CVPR 2024, section 3.2, after Du, Ding, Jia, "Study on density peaks
    clustering", 2016. A frame's density falls with the distance to its nearest other frame; its
    score is that density times the distance to the nearest frame of higher density.

    Two frames that are each other's nearest have the same density, and neither is the higher one.
    Of identical frames (a still person, a clip's edge repeated) the first one is.
    """

    name = "cluster"

    def scores(self, pooled: Tensor, joints: Tensor, keep: int) -> Tensor:
        """See :meth:`Pruning.scores`."""
        squares = _square_distances(pooled) / pooled.shape[2]  # (B, F, F)
        num_frames = squares.shape[1]
        # The two nearest, of which the frame itself is one, at distance 0.
        nearest = squares.topk(min(2, num_frames), dim=2, largest=False).values
        sparsity = nearest.mean(dim=2)  # (B, F), minus the logarithm of the density
        places = torch.arange(num_frames, device=pooled.device)
        earlier = places[None, :] < places[:, None]
        higher = sparsity[:, None, :] < sparsity[:, :, None]
        higher = higher | ((squares == 0) & earlier)  # (B, F, F): the other is denser
        farthest = squares.amax(dim=(1, 2), keepdim=True)
        separation = torch.where(higher, squares, farthest).amin(dim=2).sqrt()
        return torch.exp(-sparsity) * separation


def _square_distances(x: Tensor) -> Tensor:
    """(B, F, C) -> (B, F, F) float64, symmetric to the last bit, exactly 0 where x is the same.

    A product of centred vectors in float64: as exact as differences of float32 are, and without
    the F × F × C numbers of those.
    """
    x = x.double()
    x = x - x.mean(dim=1, keepdim=True)
    products = x @ x.transpose(1, 2)  # (B, F, F)
    norms = products.diagonal(dim1=1, dim2=2)  # (B, F)
    products = (products + products.transpose(1, 2)) / 2
    squares = norms[:, :, None] + norms[:, None, :] - 2 * products
    # Below the resolution of the float32 numbers that it is made of.
    smallest = 1e-12 * norms.amax(dim=1)[:, None, None]
    return torch.where(squares > smallest, squares, 0.0)


class UniformPruning(Pruning):
    """Frames at equal steps, the first and the last among them."""

    name = "uniform"

    def scores(self, pooled: Tensor, joints: Tensor, keep: int) -> Tensor:
        """See :meth:`Pruning.scores`."""
        last, steps = pooled.shape[1] - 1, max(keep - 1, 1)
        chosen = torch.zeros(pooled.shape[1], device=pooled.device)
        # A tensor, not a list: a trace reads a list of traced numbers as one index for each axis.
        places = torch.arange(keep, device=pooled.device) * 2 * last + steps
        chosen[places // (2 * steps)] = 1.0
        return chosen.expand(pooled.shape[:2])


class AttentionPruning(Pruning):
    """Frames that get most attention when all frames attend to each other.

    The attention is that of the frames' normalised vectors to each other, without weights of its
    own, so that it works between any two levels of any host.
    """

    name = "attention"

    def scores(self, pooled: Tensor, joints: Tensor, keep: int) -> Tensor:
        """See :meth:`Pruning.scores`."""
        x = F.layer_norm(pooled, pooled.shape[2:])
        attention = (x @ x.transpose(1, 2) / math.sqrt(x.shape[2])).softmax(dim=2)
        return attention.mean(dim=1)


class MotionPruning(Pruning):
    """Frames around which the 2D joints move most: since the frame before and to the one after.

    At either end the one neighbour counts twice.
    """

    name = "motion"

    def scores(self, pooled: Tensor, joints: Tensor, keep: int) -> Tensor:
        """See :meth:`Pruning.scores`."""
        last = joints.shape[1] - 1
        before = joints[:, [min(1, last), *range(last)]]
        after = joints[:, [*range(1, last + 1), max(last - 1, 0)]]
        moved = (joints - before).norm(dim=-1) + (after - joints).norm(dim=-1)  # (B, F, 17)
        return moved.mean(dim=-1)


PRUNINGS: dict[str, Pruning] = {
    pruning.name: pruning
    for pruning in (ClusterPruning(), UniformPruning(), AttentionPruning(), MotionPruning())
}

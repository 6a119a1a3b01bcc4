"""Adaptive fusion of two streams."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AdaptiveFusion(nn.Module):
    """Mean of two streams, weighted for each token by what both hold.

    Zhu et al., "MotionBERT", ICCV 2023, equation 5: a softmax over two numbers that a linear gives
    for the concatenation. Starts as the plain mean.

    Args:
        dim: channels of each stream.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(2 * dim, 2)
        nn.init.zeros_(self.weigh.weight)
        nn.init.constant_(self.weigh.bias, 0.5)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two of (..., C) -> (..., C)."""
        weights = self.weigh(torch.cat((first, second), dim=-1)).softmax(dim=-1)  # (..., 2)
        return weights[..., :1] * first + weights[..., 1:] * second

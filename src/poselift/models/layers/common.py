"""MLP and stochastic depth."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MLP(nn.Module):
    """Linear, exact GELU, linear, with dropout after both.

    Args:
        dim: channels in and out.
        hidden: channels between.
        drop: dropout probability.
    """

    def __init__(self, dim: int, hidden: int, drop: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        hidden = F.dropout(F.gelu(self.fc1(x)), self.drop, self.training)
        return F.dropout(self.fc2(hidden), self.drop, self.training)


class DropPath(nn.Module):
    """Stochastic depth: drops the whole branch of a row (Huang et al. 2016).

    Args:
        rate: probability that a row's branch is dropped in training.
        axis: of the tokens that attend to each other, as in ``Attention``; each of their rows has
            one draw.
    """

    def __init__(self, rate: float = 0.0, axis: int = 0) -> None:
        super().__init__()
        self.rate = rate
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C), such as (J, B, C): one draw for each of the B samples."""
        if self.rate == 0.0 or not self.training:
            return x
        keep = 1.0 - self.rate
        rows = [*x.shape[:-1], 1]
        rows[self.axis] = 1  # (1, B, 1)
        mask = torch.empty(rows, dtype=x.dtype, device=x.device)
        return x * mask.bernoulli_(keep).div_(keep)


def linear_rates(first: float, last: float, depth: int) -> list[float]:
    """Stochastic depth rising linearly over the blocks."""
    return [float(rate) for rate in torch.linspace(first, last, depth)]

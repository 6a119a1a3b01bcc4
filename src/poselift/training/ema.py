"""Exponential moving average of a network's weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class WeightAverage:
    """Keeps a copy whose weights follow a network slowly.

    Args:
        network: the one that trains.
        decay: share of the old average kept at each update.
        forget_start: keep less in the first updates, so that the random start is forgotten.
    """

    def __init__(self, network: nn.Module, decay: float, forget_start: bool = True) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.forget_start = forget_start

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards ``network`` after optimiser step number ``step`` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step)) if self.forget_start else self.decay
        own = [t for t in self.network.state_dict().values() if t.is_floating_point()]
        new = [t for t in network.state_dict().values() if t.is_floating_point()]
        torch._foreach_lerp_(own, new, 1 - decay)

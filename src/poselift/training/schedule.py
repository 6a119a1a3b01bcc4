"""How fast a network learns: optimiser, learning rate, length of a training."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from poselift.data.ranges import check_ranges
from poselift.training.muon import Muon

OptimiserName = Literal["adamw", "adam", "amsgrad", "muon"]
FEATURES = 32
"""A matrix with a shorter side maps coordinates, or holds a row for each joint."""


@dataclass(frozen=True)
class ScheduleConfig:
    """How the learning rate changes after the warm-up.

    Args:
        name: ``"cosine"`` falls to a hundredth of the peak at the end of the training; ``"step"``
            falls after each epoch.
        decay: factor after each epoch (``"step"``).
        drop: factor after every ``drop_every``-th epoch, in the place of ``decay``.
        drop_every: epochs; 0 for never.
    """

    name: Literal["cosine", "step"] = "cosine"
    decay: float = 1.0
    drop: float = 1.0
    drop_every: int = 0

    def __post_init__(self) -> None:
        check_ranges(self, decay=(1e-6, 1.0), drop=(1e-6, 1.0), drop_every=(0, math.inf))

    def factor(self, epoch: int) -> float:
        """What is left of the peak after ``epoch`` whole epochs of the schedule ``"step"``.

        >>> ScheduleConfig("step", decay=0.9, drop=0.5, drop_every=2).factor(3)
        0.405
        """
        drops = epoch // self.drop_every if self.drop_every else 0
        return self.decay ** (epoch - drops) * self.drop**drops


@dataclass(frozen=True)
class Schedule:
    """The learning rate of every step of one training.

    Args:
        config: how it changes.
        peak: highest rate.
        warmup: steps over which the rate rises linearly from 0.
        steps: optimiser steps of the whole training.
        epoch_steps: optimiser steps of an epoch.
    """

    config: ScheduleConfig
    peak: float
    warmup: int
    steps: int
    epoch_steps: int

    def rate(self, step: int) -> float:
        """The learning rate of step number ``step``, from 0."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        if self.config.name == "step":
            return self.peak * self.config.factor(step // self.epoch_steps)
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def create_optimisers(
    name: OptimiserName, parameters: Iterable[nn.Parameter], rate: float, weight_decay: float
) -> list[torch.optim.Optimizer]:
    """The optimiser of a recipe; two of them where matrices learn by one of their own.

    :class:`poselift.training.muon.Muon` takes the matrices between features. AdamW takes the rest:
    maps from and to coordinates, tables with a row for each joint, positions, biases and norms.
    """
    parameters = [*parameters]
    if name != "muon":
        kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
        amsgrad = name == "amsgrad"
        return [kind(parameters, rate, weight_decay=weight_decay, amsgrad=amsgrad, fused=True)]
    matrices = [p for p in parameters if p.ndim == 2 and min(p.shape) >= FEATURES]
    taken = {*map(id, matrices)}
    rest = [p for p in parameters if id(p) not in taken]
    optimisers: list[torch.optim.Optimizer] = []
    if matrices:
        optimisers.append(Muon(matrices, rate, weight_decay))
    if rest:
        optimisers += create_optimisers("adamw", rest, rate, weight_decay)
    return optimisers

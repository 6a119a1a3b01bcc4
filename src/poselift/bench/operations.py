"""Parameters and multiply-accumulates of a network, every product counted. Needs torch."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

_OF_WEIGHTS = ("mm", "addmm", "convolution")


@dataclass(frozen=True)
class Operations:
    """What one call of a network takes.

    Args:
        parameters: trainable numbers.
        with_weights: multiply-accumulates of linear layers and convolutions.
        between_tokens: those of products between activations: queries with keys, attention with
            values, distances between frames.

    Element by element work (normalisation, activation, softmax) is not counted.
    """

    parameters: int
    with_weights: int
    between_tokens: int

    @property
    def multiply_accumulates(self) -> int:
        """Every product."""
        return self.with_weights + self.between_tokens

    @property
    def field_gflops(self) -> float:
        """As papers of the field count: two for a multiply-accumulate, with weights only."""
        return 2e-9 * self.with_weights


def count_operations(network: nn.Module, num_frames: int | None = None) -> Operations:
    """Count what a window takes, without computing it.

    Args:
        network: its forward takes (B, F, 17, 2).
        num_frames: F; that of its config if not given.

    >>> from poselift import models
    >>> count_operations(models.create("nanohtnet")).multiply_accumulates
    28503342
    """
    config: Any = network.config
    shape = (1, config.num_frames if num_frames is None else num_frames, 17, 2)
    shadow = copy.deepcopy(network).eval().requires_grad_(False).to("meta")  # shapes alone
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        shadow(torch.empty(shape, device="meta"))
    by_operator = {str(op): n for op, n in counter.get_flop_counts().get("Global", {}).items()}
    total = sum(by_operator.values())
    weights = sum(by_operator.get(f"aten.{op}", 0) for op in _OF_WEIGHTS)
    return Operations(
        parameters=sum(p.numel() for p in network.parameters() if p.requires_grad),
        with_weights=weights // 2,
        between_tokens=(total - weights) // 2,
    )

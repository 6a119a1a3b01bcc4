"""What training minimises. Metres."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from poselift.data.ranges import check_ranges

MIXSTE_WEIGHTS = (
    *(1.0, 1.0, 2.5, 2.5, 1.0, 2.5, 2.5, 1.0, 1.0),
    *(1.0, 1.5, 1.5, 4.0, 4.0, 1.5, 4.0, 4.0),
)
"""Of the 17 joints, larger far from the pelvis: MixSTE (Zhang et al., CVPR 2022), loss function."""


@dataclass(frozen=True)
class LossConfig:
    """Parts of the loss; the position error of the joints has weight 1.

    Args:
        joints: how joints are weighted in position error and smoothness: ``"equal"`` or
            ``"mixste"``.
        velocity: weight of the error of frame differences.
        smoothness: weight of the mean square of predicted frame differences (Zhang et al., CVPR
            2022, temporal consistency), metres squared.
    """

    joints: Literal["equal", "mixste"] = "equal"
    velocity: float = 0.5
    smoothness: float = 0.0

    def __post_init__(self) -> None:
        check_ranges(self, velocity=(0.0, math.inf), smoothness=(0.0, math.inf))


def pose_loss(predicted: Tensor, target: Tensor, config: LossConfig) -> Tensor:
    """The loss of (B, n, 17, 3) joints that ``config`` describes; a number."""
    weights = _weights(predicted, config)
    loss = mpjpe(predicted, target, weights)
    if config.velocity:
        loss = loss + config.velocity * velocity_error(predicted, target)
    if config.smoothness:
        loss = loss + config.smoothness * roughness(predicted, weights)
    return loss


def _weights(like: Tensor, config: LossConfig) -> Tensor | None:
    return like.new_tensor(MIXSTE_WEIGHTS) if config.joints == "mixste" else None


def mpjpe(predicted: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean per-joint position error of (..., 17, 3) joints, each times its weight (17,)."""
    errors = (predicted - target).norm(dim=-1)  # (..., 17)
    return (errors if weights is None else errors * weights).mean()


def velocity_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean error of the frame differences of (B, n, 17, 3) joints; 0 for a single frame."""
    if predicted.shape[1] < 2:
        return predicted.new_zeros(())
    return mpjpe(predicted.diff(dim=1), target.diff(dim=1))


def roughness(predicted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean square of the frame differences of (B, n, 17, 3) joints; 0 for a single frame."""
    if predicted.shape[1] < 2:
        return predicted.new_zeros(())
    squares = predicted.diff(dim=1).square()  # (B, n - 1, 17, 3)
    return (squares if weights is None else squares * weights[:, None]).mean()

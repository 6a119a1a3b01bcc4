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

_NO_SIZE = 1e-12  # square metres


@dataclass(frozen=True)
class LossConfig:
    """Parts of the loss; the position error of the joints has weight 1.

    Args:
        joints: how joints are weighted in position error and smoothness: ``"equal"`` or
            ``"mixste"``.
        velocity: weight of the error of frame differences.
        smoothness: weight of the mean square of predicted frame differences (Zhang et al., CVPR
            2022, temporal consistency), metres squared.
        scale: weight of the position error that the best scale of each pose leaves (N-MPJPE; Zhu
            et al., MotionBERT, ICCV 2023).
    """

    joints: Literal["equal", "mixste"] = "equal"
    velocity: float = 0.5
    smoothness: float = 0.0
    scale: float = 0.0

    def __post_init__(self) -> None:
        weight = (0.0, math.inf)
        check_ranges(self, velocity=weight, smoothness=weight, scale=weight)


def pose_loss(predicted: Tensor, target: Tensor, config: LossConfig) -> Tensor:
    """The loss of (B, n, 17, 3) joints that ``config`` describes; a number."""
    weights = _weights(predicted, config)
    loss = mpjpe(predicted, target, weights)
    if config.velocity:
        loss = loss + config.velocity * velocity_error(predicted, target)
    if config.smoothness:
        loss = loss + config.smoothness * roughness(predicted, weights)
    if config.scale:
        loss = loss + config.scale * n_mpjpe(predicted, target)
    return loss


def _weights(like: Tensor, config: LossConfig) -> Tensor | None:
    return like.new_tensor(MIXSTE_WEIGHTS) if config.joints == "mixste" else None


def mpjpe(predicted: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean per-joint position error of (..., 17, 3) joints, each times its weight (17,)."""
    errors = (predicted - target).norm(dim=-1)  # (..., 17)
    return (errors if weights is None else errors * weights).mean()


def n_mpjpe(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean position error of (..., 17, 3) joints after the best scale of each pose about the root.

    Poses are relative to the root. The scale is part of what the gradient sees.
    """
    size = predicted.square().sum(dim=(-2, -1), keepdim=True)  # (..., 1, 1)
    # Nothing scales a pose whose joints all lie in the root.
    scale = (predicted * target).sum(dim=(-2, -1), keepdim=True) / size.clamp_min(_NO_SIZE)
    return mpjpe(scale * predicted, target)


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

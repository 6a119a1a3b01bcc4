"""What training minimises. Metres."""

from __future__ import annotations

from torch import Tensor


def mpjpe(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean per-joint position error of (..., 17, 3) joints."""
    return (predicted - target).norm(dim=-1).mean()


def velocity_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean error of the frame differences of (B, n, 17, 3) joints; 0 for a single frame."""
    if predicted.shape[1] < 2:
        return predicted.new_zeros(())
    return mpjpe(predicted.diff(dim=1), target.diff(dim=1))

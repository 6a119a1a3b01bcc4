"""Errors as detectors make them, for training. Batched, in torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from poselift.data.ranges import check_ranges
from poselift.skeleton import END_JOINTS, H36M_17

_LAG_TAPS = 16
_LOWER = tuple(
    f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle")
)
_UPPER = tuple(
    f"{side}_{joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist")
)


@dataclass(frozen=True)
class NoiseConfig:
    """How wrong the 2D joints are; lengths are shares of the person's height in the image.

    Args:
        clean: share of windows without noise; their joints may be lost, exchanged or late all the
            same.
        strength: largest factor on ``sigma``; each window draws its own from 0 upwards.
        sigma: standard deviation of a joint.
        sigma_ends: that of wrists and ankles.
        drift: largest share of the variance that changes slowly instead of every frame.
        bias: standard deviation of an error that a joint keeps through the window.
        outliers: share of joints that are far off.
        outlier_sigma: standard deviation of these.
        gaps: share of windows in which one joint is lost for a while and interpolated.
        swaps: share of windows in which left and right are exchanged for a while. Clips have them
            put back before they are lifted (`poselift.keypoints.sides`), streams do not.
        lagging: share of windows that a tracker's filter delays.
        lag: largest mean delay of these, frames.
    """

    clean: float = 0.25
    strength: float = 1.4
    sigma: float = 0.012
    sigma_ends: float = 0.018
    drift: float = 0.8
    bias: float = 0.006
    outliers: float = 0.02
    outlier_sigma: float = 0.08
    gaps: float = 0.2
    swaps: float = 0.0
    lagging: float = 0.0
    lag: float = 3.0

    def __post_init__(self) -> None:
        share, size = (0.0, 1.0), (0.0, 1.0)
        check_ranges(
            self,
            clean=share,
            strength=(0.0, 100.0),
            sigma=size,
            sigma_ends=size,
            drift=share,
            bias=size,
            outliers=share,
            outlier_sigma=size,
            gaps=share,
            swaps=share,
            lagging=share,
            lag=(0.0, _LAG_TAPS / 3),
        )


def add_noise(pixels: Tensor, config: NoiseConfig, g: torch.Generator) -> Tensor:
    """Disturb (B, F, 17, 2) pixels; returns the same shape."""
    B, T, J, _ = pixels.shape
    device = pixels.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=g, device=device)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=g, device=device)

    height = pixels[..., 1].amax(dim=2) - pixels[..., 1].amin(dim=2)  # (B, T)
    height = height[:, :, None, None]
    sigma = torch.full((J, 1), config.sigma, device=device)
    sigma[list(H36M_17.indices(END_JOINTS))] = config.sigma_ends
    noisy = (uniform(B, 1, 1, 1) >= config.clean).float()
    strength = config.strength * uniform(B, 1, 1, 1) * noisy

    slow_share = config.drift * uniform(B, 1, 1, 1) if T > 1 else torch.zeros(1, device=device)
    fast = normal(B, T, J, 2) * (1 - slow_share).sqrt()
    slow = _slow_noise(B, T, J, normal) * slow_share.sqrt() if T > 1 else 0.0
    bias = normal(B, 1, J, 2) * config.bias * strength
    error = (fast + slow) * sigma * strength + bias
    share = 2 * config.outliers * uniform(B, 1, 1) * noisy[..., 0]
    far = torch.nonzero((uniform(B, T, J) < share).flatten()).flatten()  # few: index, not mask
    error.view(-1, 2)[far] += normal(len(far), 2) * config.outlier_sigma
    if T == 1:
        return pixels + error * height
    out = _swap_sides(_delay(pixels, config, uniform) + error * height, config.swaps, uniform)
    return _interpolate_gaps(out, config.gaps, uniform) if T > 2 else out


def _slow_noise(B: int, T: int, J: int, normal: Callable[..., Tensor]) -> Tensor:
    """(B, T, J, 2) noise of unit variance that changes over about ten frames."""
    knots = normal(B, 2 * J, max(2, T // 10 + 2))
    smooth = F.interpolate(knots, size=T, mode="linear", align_corners=True)  # (B, 2J, T)
    # Linear interpolation between independent knots has a mean variance of 2/3.
    return smooth.view(B, J, 2, T).permute(0, 3, 1, 2) * 1.5**0.5


def _delay(pixels: Tensor, config: NoiseConfig, uniform: Callable[..., Tensor]) -> Tensor:
    """Smooth some windows over their past only: y[t] = a y[t-1] + (1 - a) x[t]."""
    B, T, J, _ = pixels.shape
    draws = uniform(2, B)
    late = torch.nonzero(draws[0] < config.lagging).flatten()  # (b,)
    lag = config.lag * draws[1, late]
    keep = lag / (1 + lag)  # the filter's mean delay is a / (1 - a)
    weights = keep[:, None] ** torch.arange(_LAG_TAPS - 1, -1, -1, device=pixels.device)
    weights = weights / weights.sum(dim=1, keepdim=True)  # (b, taps)
    track = pixels[late].permute(0, 2, 3, 1).reshape(len(late), 2 * J, T)
    track = F.pad(track, (_LAG_TAPS - 1, 0), mode="replicate").unfold(-1, _LAG_TAPS, 1)
    track = torch.einsum("bjtk,bk->btj", track, weights)  # (b, T, 2J)
    out = pixels.clone()
    out[late] = track.reshape(-1, T, J, 2)
    return out


def _swap_sides(pixels: Tensor, share: float, uniform: Callable[..., Tensor]) -> Tensor:
    """Exchange arms, legs or both for up to a third of some windows."""
    B, T, J, _ = pixels.shape
    draws = uniform(4, B)
    at = torch.arange(T, device=pixels.device)[None]  # (1, T)
    first = (draws[1] * T)[:, None]
    inside = (at >= first) & (at < first + (draws[2] * T / 3)[:, None])
    inside &= (draws[0] < share)[:, None]  # (B, T)
    part = torch.ones(3, J, dtype=torch.bool, device=pixels.device)  # both, legs, arms
    part[1, list(H36M_17.indices(_UPPER))] = False
    part[2, list(H36M_17.indices(_LOWER))] = False
    chosen = part[(draws[3] * 3).long()]  # (B, J)
    swapped = pixels[:, :, list(H36M_17.mirror_indices)]
    return torch.where((inside[:, :, None] & chosen[:, None])[..., None], swapped, pixels)


def _interpolate_gaps(pixels: Tensor, share: float, uniform: Callable[..., Tensor]) -> Tensor:
    """Lose one joint of some windows for up to a third of the window, interpolate it."""
    B, T, J, _ = pixels.shape
    draws = uniform(4, B)
    joint = (draws[0] * J).long()
    first = (draws[1] * (T - 2)).long()
    last = (first + 2 + (draws[2] * T / 3).long()).clamp(max=T - 1)
    rows = torch.arange(B, device=pixels.device)
    track = pixels[rows, :, joint]  # (B, T, 2)
    at = torch.arange(T, device=pixels.device)[None]  # (1, T)
    way = ((at - first[:, None]) / (last - first)[:, None]).clamp(0, 1)[..., None]
    line = torch.lerp(track[rows, first][:, None], track[rows, last][:, None], way)
    inside = (at > first[:, None]) & (at < last[:, None]) & (draws[3] < share)[:, None]
    out = pixels.clone()
    out[rows, :, joint] = torch.where(inside[..., None], line, track)
    return out
